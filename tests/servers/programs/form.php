<?php
// Prints what PHP made of each form, as a line of JSON. Under /strict it refuses what PHP has not read to its end.
$warning = error_get_last();
if ($warning !== null && $_SERVER["REQUEST_URI"] === "/strict") {
    http_response_code(413);
    exit($warning["message"]);
}
$understood = ["form" => $_POST, "warning" => $warning === null ? null : $warning["message"]];
file_put_contents("php://stdout", json_encode($understood, JSON_THROW_ON_ERROR | JSON_FORCE_OBJECT) . "\n");
echo "ok";
