use serde::{Deserialize, Serialize};

/// One change of a job or an agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::store) struct HistoryV1 {
    pub(in crate::store) at: i64,
    /// 0 anonymous, 1 agent, 2 client, 3 local administrator, 4 this server.
    pub(in crate::store) actor: u8,
    /// The agent's or client's name, else empty.
    pub(in crate::store) actor_name: String,
    pub(in crate::store) what: String,
    pub(in crate::store) from: String,
    pub(in crate::store) to: String,
    pub(in crate::store) why: String,
}
super::first_version!(HistoryV1, 6);
