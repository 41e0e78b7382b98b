//! What users care about, held on real sockets against simulated upstreams and on both engines.

mod support;

mod asking;
mod dialects;
mod place;
mod types;

mod failover;
mod systems;
mod unknown;

mod feed;
mod follow;
mod fresh;
mod refill;
mod refunds;

mod cases;
mod crash;
mod currencies;
mod hot_wallet;
mod life;
mod restart;
mod sabotage;

mod hostile;
mod keys;
mod limits;
mod overload;
mod secrets;

mod backup;
mod dashboard;
mod deploy;
mod sight;
mod traces;

mod catalogue;
mod cli;
mod setting_up;

mod tidy;
