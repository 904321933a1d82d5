//! `secret-admin`, `rotate-secrets-key`

use std::io::Read;

use clap::Subcommand;
use secrecy::SecretString;
use secrecy::{ExposeSecret, zeroize::Zeroizing};
use serde_json::{Value, json};

use super::Failure;
use super::admin::{Admin, Place, segment};
use super::output::{self, Format, say, tell};
use crate::domain::counted;

/// Arguments of `secret-admin`.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List secrets and when they expire, without their values
    List {
        /// Only the secrets of this client
        #[arg(long, value_name = "ID")]
        client: Option<String>,
        #[command(flatten)]
        format: Format,
    },
    /// Write a secret of a client; its value is read from standard input
    Put {
        /// The client
        client: String,
        /// The path, such as wifi/password
        path: String,
        /// After how many seconds it expires; -1 for never [default: a year]
        #[arg(
            long,
            value_name = "SECONDS",
            allow_hyphen_values = true,
            conflicts_with = "ephemeral"
        )]
        expire_after: Option<i64>,
        /// Remove it when the first job that uses it is claimed
        #[arg(long)]
        ephemeral: bool,
    },
    /// Delete a secret of a client
    Delete {
        /// The client
        client: String,
        /// The path
        path: String,
    },
}

/// Runs `secret-admin`.
pub(super) fn run(args: Args) -> Result<(), Failure> {
    let mut admin = Admin::open_with_keys(args.place)?;
    let done = command(&mut admin, args.command);
    admin.close().and(done)
}

fn command(admin: &mut Admin, command: Command) -> Result<(), Failure> {
    match command {
        Command::List { client, format } => {
            let rows = of_client(admin, client.as_deref())?;
            output::list(&rows, format, &["client_id", "path", "ephemeral", "expires_at"])?;
        }
        Command::Put { client, path, expire_after, ephemeral } => {
            let value = value()?;
            let mut body = json!({ "value": value.expose_secret() });
            if let Some(seconds) = expire_after {
                body["expire_after"] = if seconds == -1 { Value::Null } else { json!(seconds) };
            }
            if ephemeral {
                body["ephemeral"] = json!(true);
            }
            let written = admin.call("PUT", &secret_path(&client, &path)?, Some(&body))?;
            let written: Value = serde_json::from_str(&written).unwrap_or_default();
            match written["expires_at"].as_str() {
                Some(end) => tell!("wrote {client}:{path}; it expires at {end}"),
                None if ephemeral => {
                    tell!("wrote {client}:{path}; the first job that uses it takes it");
                }
                None => tell!("wrote {client}:{path}; it never expires"),
            }
        }
        Command::Delete { client, path } => {
            admin.call("DELETE", &secret_path(&client, &path)?, None)?;
            tell!("deleted {client}:{path}");
        }
    }
    Ok(())
}

/// The secrets of a client or of all, as JSON text.
pub(super) fn of_client(admin: &mut Admin, client: Option<&str>) -> Result<String, Failure> {
    let path = client.map_or_else(
        || "/admin/secrets".to_owned(),
        |client| format!("/admin/secrets?client={}", segment(client)),
    );
    admin.call("GET", &path, None)
}

fn secret_path(client: &str, path: &str) -> Result<String, Failure> {
    crate::domain::SecretPath::try_from(path.to_owned())
        .map_err(|error| Failure::new(2, error.to_string()))?;
    Ok(format!("/v1/secrets/{}/{path}", segment(client)))
}

/// The value from standard input, without the newline at its end.
fn value() -> Result<SecretString, Failure> {
    let mut text = Zeroizing::new(String::new());
    std::io::stdin()
        .take(crate::secrets::LONGEST_VALUE as u64 + 2)
        .read_to_string(&mut text)
        .map_err(|error| Failure::new(1, format!("standard input: {error}")))?;
    Ok(SecretString::from(text.trim_end_matches(['\n', '\r'])))
}

/// Arguments of `rotate-secrets-key`.
#[derive(clap::Args)]
pub(super) struct Rotate {
    #[command(flatten)]
    place: Place,
}

/// Runs `rotate-secrets-key`.
pub(super) fn rotate(args: Rotate) -> Result<(), Failure> {
    let mut admin = Admin::open_with_keys(args.place)?;
    let done = admin.call("POST", "/admin/secrets-key", None);
    let done = admin.close().and(done)?;
    let done: Value = serde_json::from_str(&done).unwrap_or_default();
    let resealed = done["resealed"].as_u64().unwrap_or_default();
    say!("{} sealed under the new key", counted(resealed, "value was", "values were"));
    match done["unreadable"].as_u64() {
        Some(count @ 1..) => {
            let message = format!(
                "{} sealed under a key that is not here and left alone: restore that key, or write the \
                 secrets again",
                counted(count, "value was", "values were")
            );
            Err(Failure::new(1, message))
        }
        _ => Ok(()),
    }
}
