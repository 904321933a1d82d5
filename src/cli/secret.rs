//! Where a client's secret comes from: a prompt that hides it, standard input, or this program. It never comes from the
//! command line, which every user of the machine can read.

use std::io::{IsTerminal, Read};

use secrecy::{ExposeSecret, SecretString};

use super::Failure;
use super::output::say;
use crate::auth::refresh::generate_secret;

/// The shortest secret, characters.
const SHORTEST: usize = 15;
/// The longest secret that is read from standard input, bytes.
const LONGEST: u64 = 4096;

/// Where the secret comes from.
#[derive(clap::Args)]
pub(super) struct Source {
    /// Read the secret from standard input
    #[arg(long, conflicts_with = "generate")]
    secret_stdin: bool,
    /// Generate a secret and print it once, on standard output
    #[arg(long)]
    generate: bool,
}

/// A secret, and whether it must be shown.
pub(super) struct Secret {
    pub(super) value: SecretString,
    generated: bool,
}

impl Source {
    /// Reads or generates the secret of a client.
    pub(super) fn read(&self, client: &str) -> Result<Secret, Failure> {
        if self.generate {
            let value = generate_secret().map_err(|error| {
                Failure::new(1, format!("the system gave no random numbers: {error}"))
            })?;
            return Ok(Secret { value, generated: true });
        }
        let value = if self.secret_stdin {
            stdin()?
        } else if std::io::stdin().is_terminal() {
            prompt(client)?
        } else {
            let message =
                "there is no terminal to ask for the secret: use --secret-stdin or --generate";
            return Err(Failure::new(2, message));
        };
        if value.expose_secret().chars().count() < SHORTEST {
            return Err(Failure::new(
                2,
                format!("the secret needs at least {SHORTEST} characters"),
            ));
        }
        Ok(Secret { value, generated: false })
    }
}

impl Secret {
    /// Prints a secret that was generated here; it is not shown again.
    pub(super) fn show(&self) {
        if self.generated {
            say!("{}", self.value.expose_secret());
        }
    }
}

fn stdin() -> Result<SecretString, Failure> {
    let mut text = String::new();
    std::io::stdin()
        .take(LONGEST + 1)
        .read_to_string(&mut text)
        .map_err(|error| Failure::new(1, format!("standard input: {error}")))?;
    if text.len() as u64 > LONGEST {
        return Err(Failure::new(2, format!("a secret has at most {LONGEST} bytes")));
    }
    Ok(SecretString::from(text.trim_end_matches(['\n', '\r'])))
}

fn prompt(client: &str) -> Result<SecretString, Failure> {
    let ask = |text: String| {
        rpassword::prompt_password(text)
            .map(SecretString::from)
            .map_err(|error| Failure::new(1, format!("cannot ask for the secret: {error}")))
    };
    let secret = ask(format!("Secret of {client}: "))?;
    let again = ask("The same again: ".to_owned())?;
    if secret.expose_secret() == again.expose_secret() {
        Ok(secret)
    } else {
        Err(Failure::new(2, "the two secrets are not the same"))
    }
}
