//! GlobalPlatform and SGP.02 data: Amendment B triggers, ES5 commands and answers, HTTP administration.
//!
//! What is here is the plain content; SCP80 (`codec::ota`) secures it and remote command scripts (`codec::apdu`) carry
//! the ES5 commands. Nothing here knows the order in which messages may come: that is `session::admin`.

pub mod agent_id;
pub mod aid;
pub mod connection;
pub mod ecasd;
pub mod es5;
pub mod http;
pub mod isd_r;
pub mod notification;
pub mod profile_data;
pub mod psk_identity;
pub mod scp80_body;
pub mod trigger;

pub use agent_id::AgentId;
pub use aid::Aid;
pub use es5::Es5Command;
pub use notification::Notification;
pub use psk_identity::PskIdentity;
pub use trigger::AdminTrigger;
