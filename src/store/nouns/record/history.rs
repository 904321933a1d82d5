use serde::{Deserialize, Serialize};

/// One change of a job or an agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct HistoryV1 {
    pub(crate) at: i64,
    /// 0 anonymous, 1 agent, 2 client, 3 local administrator, 4 this server.
    pub(crate) actor: u8,
    /// The agent's or client's name, else empty.
    pub(crate) actor_name: String,
    pub(crate) what: String,
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) why: String,
}
super::first_version!(HistoryV1, 6);
