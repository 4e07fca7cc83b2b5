//! The lessons of `longshore lab`, each run at its smallest: what it claims is checked as a relation between its findings,
//! never as a time.
#![forbid(unsafe_code)]

mod backlog;
mod byte_stream;
mod classic_bugs;
mod close;
mod command;
mod duplex;
mod feeds;
#[path = "../programs/threads.rs"]
mod few_threads;
mod files;
mod five_tuple;
mod frame;
mod heartbeats;
mod kinds;
mod lesson;
mod many;
mod models;
mod nagle;
mod short_and_long;
mod slow_reader;
mod threads;
mod upgrade;
mod verbs;
