//! What users care about, held on real sockets against simulated upstreams and on both engines.

mod support;

mod place;

mod failover;
mod unknown;

mod follow;
mod refunds;

mod cases;
mod currencies;
mod restart;
mod sabotage;

mod keys;

mod cli;
mod setting_up;

mod tidy;
