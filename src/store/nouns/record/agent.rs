use serde::{Deserialize, Serialize};

/// An agent; its name is the key. `fields` is the JSON object of what it last posted, member by member.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct AgentV1 {
    pub(crate) seq: u64,
    pub(crate) updated_at: i64,
    /// Member and JSON text of its value, sorted.
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) queues: Vec<String>,
    /// 0 none yet, 1 pass, 2 fail.
    pub(crate) streak_type: u8,
    pub(crate) streak_count: u64,
}
super::first_version!(AgentV1, 2);

/// The last lines that an agent logged, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct AgentLogV1 {
    pub(crate) lines: Vec<String>,
}
super::first_version!(AgentLogV1, 3);

/// The end of one provisioning.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ProvisionV1 {
    pub(crate) at: i64,
    pub(crate) job_id: String,
    pub(crate) exit_code: i64,
    pub(crate) detail: String,
}
super::first_version!(ProvisionV1, 4);
