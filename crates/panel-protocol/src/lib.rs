//! The formats that customers speak, pure: the bytes of a call become a [`Command`], a [`Reply`] becomes bytes.
//!
//! | in reading order | what |
//! |---|---|
//! | `incoming` | a call as it came in, where its key may stand, and [`parse`] |
//! | `params` | its parameters, whichever way they are encoded |
//! | `command` | what it asks for |
//! | `refused` | why it is refused: every text and every HTTP status of the panel faces |
//! | `reply` | what is answered, free of any dialect |
//! | `dialect` | the dialects that it is written in, and [`encode`] |
//! | `body` | what they all write alike |
//! | `numbers` | numbers and amounts in it |
//! | `seed` | `/api/v2`: `seeds/panel-api-v2.txt` to the letter |
//! | `classic` | `/api/v2` for those who want it as most panels have it |
//! | `streamrise` | `/perfectPanel`: `seeds/streamrise-api.txt` |
//!
//! A further dialect is one more module beside `seed`, and the compiler shows where `dialect` has to know it.

mod body;
mod classic;
mod command;
mod dialect;
#[cfg(test)]
mod examples;
mod incoming;
mod numbers;
mod params;
mod refused;
mod reply;
mod seed;
mod streamrise;

pub use command::{Command, Given, GivenId, GivenRefill, IDS_MAX};
pub use dialect::{Dialect, HttpStatus, encode, encode_services};
pub use incoming::{Incoming, Key, Parsed, parse};
pub use refused::Refused;
pub use reply::{Encoded, Reply, ServiceLine, StatusLine};
