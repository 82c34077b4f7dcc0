//! Real servers, and what they understand of what logpost sends.
//!
//! Each prints a line of JSON for each request; it is compared with the dictionaries, field by field. `tests/servers/install`
//! installs those that are packages of Python or Node, and `.ci/run` the others too.

mod application;
mod chdb;
mod clickhouse;
mod delivery;
mod django;
mod express;
mod flask;
mod nginx;
mod php;
mod rack;
