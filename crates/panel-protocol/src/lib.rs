//! The formats that customers speak, pure: the bytes of a call become a [`Command`], a [`Reply`] becomes bytes.
//!
//! | in reading order | what |
//! |---|---|
//! | `incoming` | a call as it came in, where its key may stand, and [`parse`] |
//! | `params` | its parameters, whichever way they are encoded |
//! | `command` | what it asks for |
//! | `refused` | why it is refused: every text and every HTTP status of the panel faces |
//! | `reply` | what is answered, free of any dialect |
//! | `seed` | how `/api/v2` writes it: `seeds/panel-api-v2.txt` to the letter |
//!
//! A further dialect is one more module beside `seed` that writes the same [`Reply`].

mod command;
mod incoming;
mod params;
mod refused;
mod reply;
mod seed;

pub use command::{Command, GivenId, ORDERS_MAX};
pub use incoming::{Incoming, Key, Parsed, parse};
pub use refused::Refused;
pub use reply::{Encoded, Reply, ServiceLine, StatusLine};
pub use seed::{encode, encode_services};
