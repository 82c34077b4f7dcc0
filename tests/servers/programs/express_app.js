// An Express application that prints what its parsers, as they come, made of each request, as a line of JSON; the first
// line has its port.
"use strict";

const express = require("express");

const report = (line) => process.stdout.write(JSON.stringify(line) + "\n");
const app = express();
// Or else each refusal is printed, with a stack.
app.set("env", "test");

const answer = (understood) => (request, response) => {
  report(understood(request));
  response.send("ok");
};
// JSON.stringify passes by what is not there, so a value that came twice is an array here.
const form = answer((request) => ({ form: Object.entries(request.body) }));

app.post("/form", express.urlencoded(), form);
app.post("/extended", express.urlencoded({ extended: true }), form);
app.get("/form", answer((request) => ({ form: Object.entries(request.query) })));
app.post("/json", express.json(), answer((request) => ({ json: request.body })));
app.post(
  "/lines",
  express.text({ type: "application/x-ndjson" }),
  answer((request) => ({ json: request.body.split("\n").filter(Boolean).map((line) => JSON.parse(line)) })),
);

const server = app.listen(0, "127.0.0.1", () => report({ port: server.address().port }));
