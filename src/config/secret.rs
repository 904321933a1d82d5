//! Secrets that a site brings.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use secrecy::SecretString;

use super::{Env, Error};

/// Where a secret comes from, which is read only by whoever needs the secret.
#[derive(Clone, Debug)]
pub struct Secret {
    name: &'static str,
    source: Source,
}

#[derive(Clone, Debug)]
enum Source {
    None,
    File(PathBuf),
    Variable(SecretString),
}

/// The bearer token for webhooks.
#[expect(clippy::unnecessary_wraps, reason = "the list of settings calls all its functions alike")]
pub(super) fn webhook_auth(file: Option<PathBuf>, env: &Env) -> Result<Secret, Error> {
    Ok(Secret::find("webhook_auth", file, env))
}

/// The key that signs tokens.
#[expect(clippy::unnecessary_wraps, reason = "the list of settings calls all its functions alike")]
pub(super) fn jwt_signing_key(file: Option<PathBuf>, env: &Env) -> Result<Secret, Error> {
    Ok(Secret::find("jwt_signing_key", file, env))
}

/// The key that seals secrets.
#[expect(clippy::unnecessary_wraps, reason = "the list of settings calls all its functions alike")]
pub(super) fn secrets_key(file: Option<PathBuf>, env: &Env) -> Result<Secret, Error> {
    Ok(Secret::find("secrets_key", file, env))
}

/// The key that sealed secrets before.
#[expect(clippy::unnecessary_wraps, reason = "the list of settings calls all its functions alike")]
pub(super) fn secrets_old_key(file: Option<PathBuf>, env: &Env) -> Result<Secret, Error> {
    Ok(Secret::find("secrets_old_key", file, env))
}

/// The master key of a Python server's secrets, which only an import needs: from a file, else from the variable that gave it to
/// that server.
///
/// # Errors
/// As [`Secret::read`].
pub fn old_master_key(file: Option<PathBuf>, env: &Env) -> Result<Option<SecretString>, Error> {
    Secret::find("testflinger_secrets_master_key", file, env).read()
}

impl Secret {
    /// From the file of the setting, else the variable `NAME` (the name that servers before this one read, such as
    /// `JWT_SIGNING_KEY`), else the systemd credential `name`.
    fn find(name: &'static str, file: Option<PathBuf>, env: &Env) -> Self {
        let variable = env.get(&name.to_ascii_uppercase()).filter(|value| !value.is_empty());
        let credential = env.get("CREDENTIALS_DIRECTORY").map(|dir| Path::new(dir).join(name));
        let source = match (file, variable, credential.filter(|path| path.exists())) {
            (Some(file), _, _) | (None, None, Some(file)) => Source::File(file),
            (None, Some(value), _) => Source::Variable(SecretString::from(value.as_str())),
            (None, None, None) => Source::None,
        };
        Self { name, source }
    }

    /// Takes the file from which systemd would make the service's credential, if nothing else gives this secret. systemd hands
    /// credentials to the service only, and whoever works on the data of a stopped service needs the same keys.
    pub fn or_credential_of(&mut self, service: &str) {
        let path = PathBuf::from(format!("/etc/credstore/{service}.{}", self.name));
        if matches!(self.source, Source::None) && path.exists() {
            self.source = Source::File(path);
        }
    }

    /// The secret, if there is one. White space at the end of its file does not belong to it.
    ///
    /// # Errors
    /// The file cannot be read, is empty, or may be read by others.
    pub fn read(&self) -> Result<Option<SecretString>, Error> {
        match &self.source {
            Source::None => Ok(None),
            Source::File(path) => read(self.name, path).map(Some),
            Source::Variable(value) => Ok(Some(value.clone())),
        }
    }
}

fn read(key: &'static str, path: &Path) -> Result<SecretString, Error> {
    let failed = |source| Error::Read { path: path.to_owned(), source };
    let mode = std::fs::metadata(path).map_err(failed)?.mode();
    if mode & 0o077 != 0 {
        let path = path.display();
        let message = format!(
            "other users can read {path}, whose mode is {:03o}: run chmod 600 {path}",
            mode & 0o777
        );
        return Err(Error::value(key, message));
    }
    let text = std::fs::read_to_string(path).map_err(failed)?;
    let text = text.trim_end();
    if text.is_empty() {
        return Err(Error::value(key, format!("{} is empty", path.display())));
    }
    Ok(SecretString::from(text))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use secrecy::ExposeSecret;

    use super::*;

    fn file(dir: &Path, name: &str, text: &str, mode: u32) -> PathBuf {
        let path = dir.join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    fn found(file: Option<PathBuf>, env: &Env) -> Option<String> {
        let secret = Secret::find("jwt_signing_key", file, env).read().unwrap();
        secret.map(|it| it.expose_secret().to_owned())
    }

    #[test]
    fn a_file_beats_the_variable_beats_the_credential() {
        let dir = tempfile::tempdir().unwrap();
        file(dir.path(), "jwt_signing_key", "credential\n", 0o400);
        let named = file(dir.path(), "named", "named\n", 0o600);
        let mut env = Env::from([(
            "CREDENTIALS_DIRECTORY".to_owned(),
            dir.path().to_str().unwrap().to_owned(),
        )]);
        assert_eq!(found(None, &env).as_deref(), Some("credential"));
        env.insert("JWT_SIGNING_KEY".to_owned(), "variable".to_owned());
        assert_eq!(found(None, &env).as_deref(), Some("variable"));
        assert_eq!(found(Some(named), &env).as_deref(), Some("named"));
        assert_eq!(found(None, &Env::new()), None);
    }

    #[test]
    fn a_file_that_others_may_read_or_that_is_empty_is_refused_without_its_content() {
        let dir = tempfile::tempdir().unwrap();
        for (text, mode) in [("hush-hush", 0o640), ("\n", 0o600)] {
            let path = file(dir.path(), "key", text, mode);
            let secret = Secret::find("jwt_signing_key", Some(path), &Env::new());
            let error = secret.read().unwrap_err().to_string();
            assert!(error.contains("jwt_signing_key") && !error.contains("hush"), "{error}");
        }
    }
}
