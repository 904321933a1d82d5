//! Secrets that a site brings: one function for all of them.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use secrecy::SecretString;

use super::{Env, Error};

/// The secret `name`: from the file of the setting, else the variable `NAME` (upstream's name, such as
/// `JWT_SIGNING_KEY`), else the systemd credential `name`. White space at the end is none of it.
///
/// # Errors
/// A file that cannot be read, is empty, or may be read by others.
pub(super) fn find(
    name: &'static str,
    file: Option<PathBuf>,
    env: &Env,
) -> Result<Option<SecretString>, Error> {
    if let Some(path) = file {
        return read(name, &path).map(Some);
    }
    if let Some(value) = env.get(&name.to_ascii_uppercase()).filter(|value| !value.is_empty()) {
        return Ok(Some(SecretString::from(value.as_str())));
    }
    let credential = env.get("CREDENTIALS_DIRECTORY").map(|dir| Path::new(dir).join(name));
    credential.filter(|path| path.exists()).map(|path| read(name, &path)).transpose()
}

fn read(key: &'static str, path: &Path) -> Result<SecretString, Error> {
    let failed = |source| Error::Read { path: path.to_owned(), source };
    let mode = std::fs::metadata(path).map_err(failed)?.mode();
    if mode & 0o077 != 0 {
        let message = format!(
            "{} may be read by others (mode {:03o}): chmod 600 it",
            path.display(),
            mode & 0o777
        );
        return Err(Error::Value { key, message });
    }
    let text = std::fs::read_to_string(path).map_err(failed)?;
    let text = text.trim_end();
    if text.is_empty() {
        return Err(Error::Value { key, message: format!("{} is empty", path.display()) });
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
        find("jwt_signing_key", file, env).unwrap().map(|it| it.expose_secret().to_owned())
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
            let error = find("jwt_signing_key", Some(path), &Env::new()).unwrap_err().to_string();
            assert!(error.contains("jwt_signing_key") && !error.contains("hush"), "{error}");
        }
    }
}
