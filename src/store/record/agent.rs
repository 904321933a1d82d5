use serde::{Deserialize, Serialize};

/// An agent; its name is the key. `fields` is the JSON object of what it last posted, member by member.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::store) struct AgentV1 {
    pub(in crate::store) seq: u64,
    pub(in crate::store) updated_at: i64,
    /// Member and JSON text of its value, sorted.
    pub(in crate::store) fields: Vec<(String, String)>,
    pub(in crate::store) queues: Vec<String>,
    /// 0 none yet, 1 pass, 2 fail.
    pub(in crate::store) streak_type: u8,
    pub(in crate::store) streak_count: u64,
}
super::first_version!(AgentV1, 2);

/// The last lines that an agent logged, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(in crate::store) struct AgentLogV1 {
    pub(in crate::store) lines: Vec<String>,
}
super::first_version!(AgentLogV1, 3);

/// The end of one provisioning.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::store) struct ProvisionV1 {
    pub(in crate::store) at: i64,
    pub(in crate::store) job_id: String,
    pub(in crate::store) exit_code: i64,
    pub(in crate::store) detail: String,
}
super::first_version!(ProvisionV1, 4);
