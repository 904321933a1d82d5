//! `agent-admin`

use clap::Subcommand;
use serde_json::{Value, json};

use super::Failure;
use super::admin::{Admin, Missing, Place, segment};
use super::output::{self, Format, cell, say};
use crate::domain::counted;

/// Arguments of `agent-admin`.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: Command,
}

/// The states that make an agent work or not; a mistyped one would keep it from working without anybody noticing.
const STATES: [&str; 4] = ["waiting", "offline", "maintenance", "restart"];

#[derive(Subcommand)]
enum Command {
    /// List agents: what they do, with which job, and when they were last seen
    List {
        #[command(flatten)]
        such: Such,
        #[command(flatten)]
        format: Format,
    },
    /// Show an agent and what has happened to it
    Show {
        /// Its name
        name: String,
        #[command(flatten)]
        format: Format,
    },
    /// Set the state of agents, by name or of all that match
    SetState {
        /// The state
        #[arg(value_parser = STATES)]
        state: String,
        /// The agents [default: all that match the options]
        names: Vec<String>,
        #[command(flatten)]
        such: Such,
        /// Why, for people to read; without it the comment is emptied
        #[arg(long, value_name = "TEXT")]
        because: Option<String>,
        /// Say which agents would be set, and change nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Hand out no more jobs to agents, by name or to all that match, while they finish what they run
    Drain {
        #[command(flatten)]
        meant: Meant,
        /// Why, for people to read
        #[arg(long, value_name = "TEXT", default_value = "")]
        because: String,
    },
    /// Hand out jobs again to agents that were drained or quarantined
    Resume {
        #[command(flatten)]
        meant: Meant,
    },
}

/// Agents by name, or all that match the options.
#[derive(clap::Args)]
struct Meant {
    /// The agents [default: all that match the options]
    names: Vec<String>,
    #[command(flatten)]
    such: Such,
    /// Say which agents are meant, and change nothing
    #[arg(long)]
    dry_run: bool,
}

/// Which agents are meant; without an option, all.
#[derive(clap::Args)]
struct Such {
    /// Only agents in this state
    #[arg(long, value_name = "STATE")]
    in_state: Option<String>,
    /// Only agents with exactly this comment
    #[arg(long, value_name = "TEXT")]
    with_comment: Option<String>,
    /// Only agents that serve this queue
    #[arg(long, value_name = "QUEUE")]
    of_queue: Option<String>,
}

impl Such {
    const fn is_any(&self) -> bool {
        self.in_state.is_none() && self.with_comment.is_none() && self.of_queue.is_none()
    }

    fn includes(&self, agent: &Value) -> bool {
        let is = |wanted: &Option<String>, member: &str| {
            let found = agent[member].as_str().unwrap_or_default();
            wanted.as_ref().is_none_or(|wanted| wanted == found)
        };
        let queues = agent["queues"].as_array();
        let serves = |queue: &String| queues.is_some_and(|all| all.contains(&json!(queue)));
        is(&self.in_state, "state")
            && is(&self.with_comment, "comment")
            && self.of_queue.as_ref().is_none_or(serves)
    }
}

/// An agent in the API.
fn path(name: &str) -> String {
    format!("/v1/agents/data/{}", segment(name))
}

/// Runs `agent-admin`.
pub(super) fn run(args: Args) -> Result<(), Failure> {
    let mut admin = Admin::open(args.place, Missing::Refuse)?;
    let done = command(&mut admin, args.command);
    admin.close().and(done)
}

fn command(admin: &mut Admin, command: Command) -> Result<(), Failure> {
    match command {
        Command::List { such, format } => {
            let agents = Value::Array(agents(admin, &such)?);
            let columns = ["name", "state", "comment", "aside", "job_id", "last_seen_at", "queues"];
            output::list(&agents.to_string(), format, &columns)
        }
        Command::Show { name, format } => show(admin, &name, format),
        Command::SetState { state, names, such, because, dry_run } => {
            let names = meant(admin, names, &such)?;
            set_state(admin, &state, &names, &because.unwrap_or_default(), dry_run)
        }
        Command::Drain { meant, because } => {
            let why = json!({ "why": because });
            set_aside(admin, meant, ("PUT", Some(&why)), ("gets no more jobs", "drained"))
        }
        Command::Resume { meant } => {
            set_aside(admin, meant, ("DELETE", None), ("gets jobs again", "resumed"))
        }
    }
}

/// The names of the agents that are meant.
fn meant(admin: &mut Admin, names: Vec<String>, such: &Such) -> Result<Vec<String>, Failure> {
    if names.is_empty() == such.is_any() {
        let message =
            "name agents, or say with --in-state, --with-comment or --of-queue which are meant";
        return Err(Failure::new(2, message));
    }
    if !names.is_empty() {
        return Ok(names);
    }
    let found = agents(admin, such)?;
    Ok(found.iter().filter_map(|agent| agent["name"].as_str().map(str::to_owned)).collect())
}

/// Drains or resumes agents.
fn set_aside(
    admin: &mut Admin,
    Meant { names, such, dry_run }: Meant,
    (method, body): (&str, Option<&Value>),
    (each, all): (&str, &str),
) -> Result<(), Failure> {
    let names = meant(admin, names, &such)?;
    // All are there before one is changed.
    for name in &names {
        agent(admin, name)?;
    }
    for name in &names {
        if !dry_run {
            let path = format!("/admin/agents/{}/aside", segment(name));
            admin.call(method, &path, body)?;
        }
        say!("{name} {each}{}", if dry_run { " (not done)" } else { "" });
    }
    say!("{} {all}", agents_were(&names, dry_run));
    Ok(())
}

/// The agents that are meant, in the order of their first appearance.
fn agents(admin: &mut Admin, such: &Such) -> Result<Vec<Value>, Failure> {
    let mut agents: Vec<Value> = parsed(&admin.call("GET", "/v1/agents/data", None)?)?;
    agents.retain(|agent| such.includes(agent));
    Ok(agents)
}

fn parsed<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, Failure> {
    serde_json::from_str(text)
        .map_err(|error| Failure::new(1, format!("the server's answer is not a list: {error}")))
}

/// The agent with this name.
fn agent(admin: &mut Admin, name: &str) -> Result<Value, Failure> {
    let reply = admin.try_call("GET", &path(name), None)?;
    match reply.status {
        404 => Err(Failure::new(1, format!("there is no agent {name}"))),
        _ => parsed(&reply.body),
    }
}

fn show(admin: &mut Admin, name: &str, format: Format) -> Result<(), Failure> {
    let agent = agent(admin, name)?;
    let history = admin.call("GET", &format!("{}/history", path(name)), None)?;
    if format.json() {
        let history: Value = parsed(&history)?;
        return output::json(&json!({ "agent": agent, "history": history }));
    }
    for (member, value) in agent.as_object().into_iter().flatten() {
        say!("{member}: {}", cell(value));
    }
    say!("");
    output::list(&history, format, &["at", "by", "name", "change", "from", "to", "why"])
}

fn set_state(
    admin: &mut Admin,
    state: &str,
    names: &[String],
    comment: &str,
    dry_run: bool,
) -> Result<(), Failure> {
    // All are there before one is changed: a mistyped name would become a new agent.
    let mut before = Vec::with_capacity(names.len());
    for name in names {
        before.push(cell(&agent(admin, name)?["state"]));
    }
    for (name, before) in names.iter().zip(before) {
        if !dry_run {
            let body = json!({ "state": state, "comment": comment });
            admin.call("POST", &path(name), Some(&body))?;
        }
        say!("{name}: {before} -> {state}{}", if dry_run { " (not done)" } else { "" });
    }
    say!("{} set to {state}", agents_were(names, dry_run));
    Ok(())
}

fn agents_were(names: &[String], dry_run: bool) -> String {
    let count = names.len() as u64;
    if dry_run {
        counted(count, "agent would be", "agents would be")
    } else {
        counted(count, "agent was", "agents were")
    }
}
