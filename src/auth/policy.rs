//! The policy: the one table of who may do what. `docs/API.md`, "Who may call what", shows it to callers.
//!
//! Every route names an [`Action`], and this file alone decides who may perform it. A use case that only managers or
//! admins may run also takes a proof of that as an argument ([`MayManage`], [`MayAdminister`]), which only this file
//! can make.

use super::Identity;
use crate::domain::{Access, ClientId, Role};

/// A group of endpoints with the same callers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Ask whether a server answers, ask for a token.
    Greet,
    /// What people do: submit jobs, look at them, cancel them, fetch artifacts.
    UseLab,
    /// What an agent does with a job: claim it, report on it.
    WorkJob,
    /// What an agent reports about itself.
    ReportAgent,
    /// What people and agents do: read a result, read an agent.
    ReadState,
    /// See which queues are restricted.
    SeeRestrictions,
    /// Restrict queues, see and change clients.
    ManageClients,
    /// Keep secrets of one's own.
    KeepSecrets,
    /// Remove clients, revoke tokens.
    Administer,
    /// What exists only for the local administrator.
    LocalOnly,
}

use Role::{Admin, Agent, Contributor, Manager};

impl Action {
    /// All actions.
    pub const ALL: [Self; 10] = [
        Self::Greet,
        Self::UseLab,
        Self::WorkJob,
        Self::ReportAgent,
        Self::ReadState,
        Self::SeeRestrictions,
        Self::ManageClients,
        Self::KeepSecrets,
        Self::Administer,
        Self::LocalOnly,
    ];

    /// The roles that a token must have for it, where a token is needed.
    #[must_use]
    pub const fn roles(self) -> &'static [Role] {
        match self {
            Self::Greet => &Role::ALL,
            Self::UseLab | Self::SeeRestrictions | Self::KeepSecrets => {
                &[Admin, Manager, Contributor]
            }
            Self::WorkJob => &[Agent],
            Self::ReportAgent => &[Admin, Manager, Agent],
            Self::ReadState => &[Admin, Manager, Contributor, Agent],
            Self::ManageClients => &[Admin, Manager],
            Self::Administer => &[Admin],
            Self::LocalOnly => &[],
        }
    }

    /// Whether callers without a token may do it in a mode.
    #[must_use]
    pub const fn needs_no_token(self, access: Access) -> bool {
        matches!(
            (self, access),
            (Self::Greet, _)
                | (
                    Self::UseLab | Self::WorkJob | Self::ReportAgent | Self::ReadState,
                    Access::Open
                )
                | (Self::UseLab | Self::ReadState | Self::SeeRestrictions, Access::Contributor)
        )
    }
}

/// Why somebody may not do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// A token is needed.
    #[error("a token is needed")]
    NoToken,
    /// One of these roles is needed.
    #[error("the role is not sufficient")]
    WrongRole(&'static [Role]),
    /// It does not exist for this caller.
    #[error("it does not exist for this caller")]
    Hidden,
}

/// Whether somebody may do something.
pub fn check(action: Action, access: Access, identity: &Identity) -> Result<(), Denied> {
    let roles = action.roles();
    match identity {
        Identity::LocalAdmin => Ok(()),
        _ if action == Action::LocalOnly => Err(Denied::Hidden),
        Identity::Client(permissions) if roles.contains(&permissions.role) => Ok(()),
        // In open mode a token never takes away what its bearer could do without it.
        Identity::Client(_) if access == Access::Open && action.needs_no_token(access) => Ok(()),
        Identity::Client(_) => Err(Denied::WrongRole(roles)),
        Identity::Anonymous if action.needs_no_token(access) => Ok(()),
        // In this mode callers without a token count as contributors, as upstream, so they have the wrong role and not
        // none.
        Identity::Anonymous
            if access == Access::Contributor
                && matches!(action, Action::WorkJob | Action::ReportAgent) =>
        {
            Err(Denied::WrongRole(roles))
        }
        Identity::Anonymous => Err(Denied::NoToken),
    }
}

/// A proof that its holder may restrict queues and change clients, and on whose behalf.
#[derive(Clone, Debug)]
pub struct MayManage {
    by: Option<(ClientId, Role)>,
}

impl MayManage {
    /// The client that manages; `None` for the local administrator.
    #[must_use]
    pub fn client(&self) -> Option<&ClientId> {
        self.by.as_ref().map(|(client, _)| client)
    }

    /// Whether the holder is the local administrator, who is exempt from the limits of HTTP callers.
    #[must_use]
    pub const fn is_local(&self) -> bool {
        self.by.is_none()
    }

    /// Whether this manager may change a client of this role, or give a client this role.
    #[must_use]
    pub fn covers(&self, role: Role) -> bool {
        self.by.as_ref().is_none_or(|(_, own)| role <= *own)
    }
}

/// A proof that its holder may remove clients and revoke tokens.
#[derive(Clone, Debug)]
pub struct MayAdminister {
    local: bool,
}

impl MayAdminister {
    /// Whether the holder is the local administrator, who is exempt from the limits of HTTP callers.
    #[must_use]
    pub const fn is_local(&self) -> bool {
        self.local
    }
}

impl Identity {
    /// A proof that this caller may manage.
    pub fn may_manage(&self, access: Access) -> Result<MayManage, Denied> {
        check(Action::ManageClients, access, self)?;
        Ok(MayManage { by: self.client().cloned().zip(self.role()) })
    }

    /// A proof that this caller may administer.
    pub fn may_administer(&self, access: Access) -> Result<MayAdminister, Denied> {
        check(Action::Administer, access, self)?;
        Ok(MayAdminister { local: matches!(self, Self::LocalAdmin) })
    }
}
