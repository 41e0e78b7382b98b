//! The commands, a module each.

pub(crate) mod account;
pub(crate) mod apply;
pub(crate) mod completions;
pub(crate) mod doctor;
pub(crate) mod export;
pub(crate) mod key;
pub(crate) mod ledger;
pub(crate) mod order;
pub(crate) mod review;
pub(crate) mod route;
pub(crate) mod sandbox;
pub(crate) mod service;
pub(crate) mod upstream;
