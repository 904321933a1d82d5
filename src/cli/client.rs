//! `client-admin`

mod import;

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};

use super::Failure;
use super::admin::{Admin, Missing, Place, segment};
use super::output::{self, Format, cell, say, tell};
use super::secret::Source;
use super::secrets;
use crate::domain::ClientId;

/// Arguments of `client-admin`.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Create a client; its secret is asked for unless a flag says where it comes from
    Create {
        /// Its id
        #[arg(value_parser = new_id)]
        id: String,
        #[command(flatten)]
        rights: Rights,
        #[command(flatten)]
        source: Source,
        /// Create the data directory if it does not exist
        #[arg(long)]
        init: bool,
    },
    /// List all clients
    List(Format),
    /// Show one client
    Show {
        /// Its id
        id: String,
        #[command(flatten)]
        format: Format,
    },
    /// Change what a client may do. Whatever is not given stays; limits that are given replace all limits of their kind
    Edit {
        /// Its id
        id: String,
        #[command(flatten)]
        rights: Rights,
    },
    /// Give a client a new secret
    SetSecret {
        /// Its id
        id: String,
        #[command(flatten)]
        source: Source,
    },
    /// Delete a client; its tokens stop working at once
    Delete {
        /// Its id
        id: String,
    },
    /// Import clients of an existing server from a file with one JSON object a line or a list of them, as mongoexport
    /// writes it
    Import {
        /// The file
        file: PathBuf,
        /// Say what would be imported, and change nothing
        #[arg(long)]
        dry_run: bool,
        /// Create the data directory if it does not exist
        #[arg(long)]
        init: bool,
    },
}

/// What a client may do.
#[derive(clap::Args)]
struct Rights {
    /// Its role [default for a new client: contributor]
    #[arg(long)]
    role: Option<Role>,
    /// The highest priority that its jobs may have on a queue, or on all queues for *; may be repeated
    #[arg(long, value_name = "QUEUE=N", value_parser = limit)]
    max_priority: Vec<(String, i64)>,
    /// The longest reservation in seconds on a queue, or on all queues for *; may be repeated
    #[arg(long, value_name = "QUEUE=SECONDS", value_parser = limit)]
    max_reservation_time: Vec<(String, i64)>,
    /// A restricted queue that it may use; may be repeated
    #[arg(long, value_name = "QUEUE")]
    allowed_queue: Vec<String>,
    /// An agent that its tokens speak for, where * stands for any text; may be repeated [default: all agents]
    #[arg(long, value_name = "NAME-PATTERN")]
    agent: Vec<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Role {
    /// Everything
    Admin,
    /// Also manages clients and restricted queues
    Manager,
    /// Submits jobs
    Contributor,
    /// Takes jobs and reports on them
    Agent,
}

/// Checks an id for a new client.
fn new_id(text: &str) -> Result<String, String> {
    ClientId::try_from(text.to_owned()).map(String::from).map_err(|error| error.to_string())
}

fn limit(text: &str) -> Result<(String, i64), String> {
    let (queue, number) = text.rsplit_once('=').ok_or("write it as QUEUE=NUMBER")?;
    let number = number.parse().map_err(|_| format!("{number:?} is not a whole number"))?;
    Ok((queue.to_owned(), number))
}

impl Rights {
    fn body(&self) -> Map<String, Value> {
        let mut body = Map::new();
        if let Some(role) = self.role.and_then(|role| role.to_possible_value()) {
            body.insert("role".to_owned(), json!(role.get_name()));
        }
        let limits = |limits: &[(String, i64)]| {
            Value::Object(limits.iter().cloned().map(|(k, v)| (k, json!(v))).collect())
        };
        if !self.max_priority.is_empty() {
            body.insert("max_priority".to_owned(), limits(&self.max_priority));
        }
        if !self.max_reservation_time.is_empty() {
            body.insert("max_reservation_time".to_owned(), limits(&self.max_reservation_time));
        }
        if !self.allowed_queue.is_empty() {
            body.insert("allowed_queues".to_owned(), json!(self.allowed_queue));
        }
        if !self.agent.is_empty() {
            body.insert("agents".to_owned(), json!(self.agent));
        }
        body
    }
}

fn admin_path(id: &str) -> String {
    format!("/admin/clients/{}", segment(id))
}

fn public_path(id: &str) -> String {
    format!("/v1/client-permissions/{}", segment(id))
}

/// Runs `client-admin`.
pub(super) fn run(args: Args) -> Result<(), Failure> {
    let missing = match args.command {
        Command::Create { init: true, .. } | Command::Import { init: true, dry_run: false, .. } => {
            Missing::Init
        }
        Command::Create { .. } | Command::Import { dry_run: false, .. } => Missing::Create,
        Command::Import { dry_run: true, .. } => Missing::Nothing,
        _ => Missing::Refuse,
    };
    let mut admin = Admin::open(args.place, missing)?;
    let done = command(&mut admin, args.command);
    admin.close().and(done)
}

fn command(admin: &mut Admin, command: Command) -> Result<(), Failure> {
    match command {
        Command::Create { id, rights, source, .. } => {
            // Asked first, so that nobody types a secret twice for a client that is there already.
            if admin.try_call("GET", &public_path(&id), None)?.status == 200 {
                return Err(Failure::new(3, "Client already exists"));
            }
            let secret = source.read(&id)?;
            let mut body = rights.body();
            body.insert("client_secret".to_owned(), json!(secret.value.expose_secret()));
            admin.call("POST", &admin_path(&id), Some(&Value::Object(body)))?;
            tell!("created {id}");
            secret.show();
        }
        Command::List(format) => {
            let rows = admin.call("GET", "/v1/client-permissions", None)?;
            let columns =
                ["client_id", "role", "max_priority", "max_reservation_time", "allowed_queues"];
            output::list(&rows, format, &columns)?;
        }
        Command::Show { id, format } => {
            let row = admin.call("GET", &public_path(&id), None)?;
            let secrets = secrets::of_client(admin, Some(&id))?;
            show(&row, &secrets, format);
        }
        Command::Edit { id, rights } => {
            let body = rights.body();
            if body.is_empty() {
                return Err(Failure::new(2, "nothing to change: give --role or a limit"));
            }
            admin.call("PUT", &admin_path(&id), Some(&Value::Object(body)))?;
            tell!("changed {id}");
        }
        Command::SetSecret { id, source } => {
            // This comes first, so that nobody types a secret twice for a client that does not exist.
            admin.call("GET", &public_path(&id), None)?;
            let secret = source.read(&id)?;
            let body = json!({ "client_secret": secret.value.expose_secret() });
            admin.call("PUT", &admin_path(&id), Some(&body))?;
            tell!("{id} has a new secret");
            secret.show();
        }
        Command::Delete { id } => {
            admin.call("DELETE", &public_path(&id), None)?;
            tell!("deleted {id}");
        }
        Command::Import { file, dry_run, .. } => import::run(admin, &file, dry_run)?,
    }
    Ok(())
}

/// Shows a client, and of its secrets how many there are and when the next one expires.
fn show(row: &str, secrets: &str, format: Format) {
    let mut client: Value = serde_json::from_str(row).unwrap_or_default();
    let secrets: Vec<Value> = serde_json::from_str(secrets).unwrap_or_default();
    let next = secrets.iter().filter_map(|secret| secret["expires_at"].as_str()).min();
    client["secrets"] = json!(secrets.len());
    client["next_secret_expires_at"] = json!(next);
    if let (Value::Object(members), false) = (&client, format.json()) {
        for (name, value) in members {
            say!("{:24}{}", name.replace('_', " "), cell(value));
        }
    } else {
        say!("{client}");
    }
}
