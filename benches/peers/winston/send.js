// winston's own way: its Http transport, batches of 100. Arguments: the URL, the number of records.
'use strict';
const http = require('http');
const winston = require('winston');

const BATCH = 100;
const url = new URL(process.argv[2]);
const records = Number(process.argv[3]);

const transport = new winston.transports.Http({
  host: url.hostname,
  port: Number(url.port),
  path: url.pathname,
  batch: true,
  batchCount: BATCH,
  agent: new http.Agent({ keepAlive: true, maxSockets: 16 }),
});
const logger = winston.createLogger({ level: 'info', transports: [transport] });

let delivered = 0;
let answered = 0;
const start = process.hrtime.bigint();
const cpu = process.cpuUsage();
let caller;

const answer = (taken) => {
  const left = records - answered;
  answered += Math.min(BATCH, left);
  if (taken) delivered += Math.min(BATCH, left);
  if (answered < records) return;
  const used = process.cpuUsage(cpu);
  console.log(`records ${records}`);
  console.log(`seconds ${Number(process.hrtime.bigint() - start) / 1e9}`);
  console.log(`cpu_us ${used.user + used.system}`);
  console.log(`caller_us ${caller.user + caller.system}`);
  console.log(`delivered ${delivered}`);
  console.log('end');
};
transport.on('logged', () => answer(true));
transport.on('warn', () => answer(false));

for (let number = 0; number < records; number++) {
  logger.info(`request ${number} took ${(number * 7919) % 10000} us from 10.0.0.1`, { target: 'bench' });
}
caller = process.cpuUsage(cpu);
