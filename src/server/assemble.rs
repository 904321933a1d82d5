//! Makes the application of settings and secrets.

use std::path::Path;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};

use super::{Error, keys};
use crate::app::{Alerts, App, Auth, KeyFile, Limits, Parts, Retention, SecretKeys};
use crate::auth::jwt::SigningKey;
use crate::auth::passwords::{self, Passwords};
use crate::auth::throttle::{self, Throttle};
use crate::config::{self, AlertForm, GuardedJobs, Mode, Secrets, Settings};
use crate::domain::{Access, Clock, Form, Guarded};
use crate::secrets::{Keyring, SealingKey};
use crate::store::{Ages, Store};
use crate::webhook::{Targets, Webhooks};

/// The application on an opened store, without a server around it.
pub fn app(
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
    settings: &Settings,
    secrets: Secrets,
) -> Result<App, Error> {
    let key = match secrets.jwt_signing_key {
        Some(key) => key.expose_secret().as_bytes().to_vec(),
        None => keys::load_or_make(&settings.storage.data_dir, keys::JWT)?,
    };
    let auth = Auth {
        access: match settings.auth.access {
            Mode::Open => Access::Open,
            Mode::Contributor => Access::Contributor,
            Mode::Locked => Access::Locked,
        },
        guarded: match settings.auth.guarded_jobs {
            GuardedJobs::Restricted => Guarded::Restricted,
            GuardedJobs::All => Guarded::All,
        },
        key: SigningKey::from_bytes(&key)
            .map_err(|_| keys::Error::Empty("the signing key".into()))?,
        passwords: Passwords::new(passwords::default_permits())?,
        throttle: Throttle::new(throttle::Limits::default()),
        proxies: settings.network.trusted_proxies.clone(),
        hosts: hosts(&settings.network.allowed_hosts),
        refresh_idle: settings.retention.keep_refresh_tokens,
        instance: store.instance()?,
    };
    let targets = match (settings.auth.access, &settings.webhooks.webhook_url[..]) {
        (Mode::Open, []) => Targets::Any,
        (_, origins) => Targets::Origins(origins.to_vec()),
    };
    let webhooks = Webhooks::new(targets, secrets.webhook_auth);
    let parts = Parts {
        limits: limits(settings),
        retention: retention(&settings.retention),
        longest_hold: settings.agents.hold,
        watchers: settings.network.max_watchers,
        silence: settings.agents.suspect_after,
        lost_after: settings.agents.lost_after,
        backup_age: settings.alerts.alert_backup_age,
        quarantine_after: settings.agents.quarantine_after as u64,
        auth,
        webhooks,
        keep_events: settings.webhooks.webhook_keep,
        alerts: Webhooks::new(Targets::Origins(settings.alerts.alert_url.origin()), None),
        secrets: secret_keys(settings, secrets.secrets_key, secrets.secrets_old_key)?,
        metrics_queues: settings.metrics.metrics_queues,
    };
    Ok(App::new(store, clock, parts))
}

/// The key that seals secrets in a data directory: the site's own, or the one there, which is made if there is none.
///
/// # Errors
/// The key that is there cannot be used.
pub fn sealing_key(data_dir: &Path, own: Option<&SecretString>) -> Result<SealingKey, Error> {
    match own {
        Some(own) => Ok(SealingKey::from_bytes(own.expose_secret().as_bytes())),
        None => Ok(keys::SecretsKey::open(data_dir)?.0.current().clone()),
    }
}

/// The keys that seal secrets: the site's own, or those of the data directory.
fn secret_keys(
    settings: &Settings,
    own: Option<SecretString>,
    old: Option<SecretString>,
) -> Result<SecretKeys, Error> {
    let key = |text: &SecretString| SealingKey::from_bytes(text.expose_secret().as_bytes());
    let (mut ring, file) = if let Some(own) = own {
        (Keyring::new(key(&own)), None)
    } else {
        let (ring, file) = keys::SecretsKey::open(&settings.storage.data_dir)?;
        (ring, Some(Box::new(file) as Box<dyn KeyFile>))
    };
    if let Some(old) = old {
        ring = ring.with_older(key(&old));
    }
    Ok(SecretKeys::new(ring, file, settings.secrets.mask_secrets))
}

/// The names that are listed, and this machine's own.
fn hosts(listed: &[String]) -> Vec<String> {
    let own = rustix::system::uname().nodename().to_string_lossy().to_ascii_lowercase();
    let local = format!("{own}.local");
    listed.iter().cloned().chain([own, local]).collect()
}

pub(super) const fn limits(settings: &Settings) -> Limits {
    Limits {
        json: settings.limits.max_json_size,
        result: settings.limits.max_result_size,
        upload: settings.limits.max_upload_size,
        in_flight: settings.limits.max_in_flight,
        disk_reserve: settings.storage.disk_reserve,
    }
}

pub(super) const fn retention(settings: &config::Retention) -> Retention {
    Retention {
        ages: Ages {
            jobs: settings.keep_jobs,
            files: settings.keep_files,
            agents: settings.keep_agents,
            queues: settings.keep_queues,
            refresh: settings.keep_refresh_tokens,
            drain: settings.keep_output,
        },
        keep_free: settings.keep_free,
    }
}

/// Where alerts go, if anywhere.
pub(super) fn alerts(settings: &Settings) -> Option<Alerts> {
    let config::Alerts { alert_url, alert_form, .. } = &settings.alerts;
    (!alert_url.0.is_empty()).then(|| Alerts {
        url: alert_url.0.clone(),
        form: match alert_form {
            AlertForm::Json => Form::Json,
            AlertForm::Text => Form::Text,
        },
    })
}
