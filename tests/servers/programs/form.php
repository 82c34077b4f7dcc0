<?php
// Prints what PHP made of each form, as a line of JSON.
$warning = error_get_last();
$understood = ["form" => $_POST, "warning" => $warning === null ? null : $warning["message"]];
file_put_contents("php://stdout", json_encode($understood, JSON_THROW_ON_ERROR | JSON_FORCE_OBJECT) . "\n");
echo "ok";
