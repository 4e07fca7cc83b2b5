//! The lessons of `longshore lab`, each run at its smallest: what it claims is checked as a relation between its findings,
//! never as a time.
#![forbid(unsafe_code)]

mod backlog;
mod byte_stream;
mod close;
mod classic_bugs;
mod command;
mod files;
mod five_tuple;
mod duplex;
mod feeds;
mod frame;
mod heartbeats;
mod kinds;
mod lesson;
mod many;
mod models;
mod nagle;
mod duplex;
mod frame;
mod lesson;
mod models;
mod short_and_long;
mod slow_reader;
mod upgrade;
mod verbs;
