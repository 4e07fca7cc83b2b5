//! The lessons of `longshore lab`, each run at its smallest: what it claims is checked as a relation between its findings,
//! never as a time.
#![forbid(unsafe_code)]

mod command;
mod lesson;
mod verbs;
