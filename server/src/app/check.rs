//! What would keep a server from starting, found without starting it.

use super::load::{Checked, idle_limits};
use super::{Server, StartError, saturating};
use crate::auth;
use crate::config::{Config, SpillSettings};
use crate::memory::Spill;
use crate::net;
use crate::worker::{self, PythonError};

/// What was found about a server and its configuration.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// What would keep it from starting.
    pub(crate) errors: Vec<StartError>,
    /// What is probably not meant.
    pub(crate) doubts: Vec<String>,
}

impl Server {
    /// Tries what the configuration names: files are read, the spill folder is written to. Ports are not opened, functions
    /// are not loaded, and issuers of tokens are not asked.
    pub(crate) async fn check(self, config: &Config) -> Findings {
        let Config {
            server,
            flexconnect,
            python,
            ..
        } = config;
        let mut found = Findings::default();
        found.doubts.extend(python.idle());
        let brings_verifier = self.verifier.is_there();
        match Checked::new(self.serves) {
            Err(error) => found.errors.push(error),
            // What the modules have is not known before they are loaded.
            Ok(Checked::Functions(_)) if python.serves() => {}
            Ok(Checked::Functions(registry)) => found.doubts.extend(idle_limits(&flexconnect.limits, &registry)),
            // Whatever it runs may be limited.
            Ok(Checked::Methods(_)) => {}
        }
        let tls = server.tls.as_ref().map(net::tls::check).transpose();
        found.errors.extend(tls.err().map(StartError::from));
        let authentication = auth::check(&server.authentication, brings_verifier).await;
        found.errors.extend(authentication.err().map(StartError::from));
        if let Some(SpillSettings { directory, bytes }) = &server.tasks.spill {
            let spill = Spill::open(directory, saturating(*bytes));
            found.errors.extend(spill.err().map(StartError::from));
        }
        let socket = python.socket.as_deref().map(worker::check_socket).transpose();
        found
            .errors
            .extend(socket.err().map(|error| PythonError::from(error).into()));
        found.doubts.extend(net::check_advertised(server));
        found
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::sync::Arc;

    use arrow::datatypes::{Schema, SchemaRef};
    use async_trait::async_trait;

    use super::*;
    use crate::auth::EnumeratedTokens;
    use crate::config::{self, Inputs};
    use crate::function::{Call, FlexConnectFunction, FunctionError, Output};

    struct Sales;

    #[async_trait]
    impl FlexConnectFunction for Sales {
        fn name(&self) -> &'static str {
            "Sales"
        }

        fn schema(&self) -> SchemaRef {
            Arc::new(Schema::empty())
        }

        async fn call(&self, _call: Call) -> Result<Output, FunctionError> {
            Err(FunctionError::cancelled())
        }
    }

    /// What is found, in words; `{folder}` in the settings is the folder.
    async fn check(server: Server, settings: &str, folder: &Path) -> (Vec<String>, Vec<String>) {
        let file = folder.join("settings.toml");
        fs::write(&file, settings.replace("{folder}", &folder.display().to_string())).unwrap();
        let inputs = Inputs {
            files: vec![file],
            machine_name: "this.machine".to_owned(),
            ..Inputs::default()
        };
        let (config, _) = config::load(&inputs).unwrap();
        let Findings { errors, doubts } = server.check(&config).await;
        (errors.iter().map(ToString::to_string).collect(), doubts)
    }

    #[tokio::test]
    async fn everything_that_would_stop_the_start_is_told_at_once() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("address"), "grpc://not a host").unwrap();
        let settings = "[server]\nuse_tls = true\ntls_certificate = '@{folder}/none.pem'\ntls_private_key = '@{folder}/none.pem'\n\
            authentication_method = 'token'\ntoken_verification = 'JwtVerification'\n\
            task_spill_directory = '{folder}/none'\nadvertise_file = '{folder}/address'\n\
            [jwt]\nissuer = 'i'\naudience = 'a'\njwks_file = '{folder}/keys.json'\n\
            [flexconnect]\nlimits.Slaes = {threads = 1}\nlimits.SALES = {threads = 1}";
        let server = Server::builder().function(Sales).build();
        let (errors, doubts) = check(server, settings, folder.path()).await;
        assert_eq!(errors.len(), 3, "{errors:?}");
        let starts = [
            "server.tls_certificate (",
            "JSON web tokens cannot be verified",
            "cannot write to the folder",
        ];
        for (error, start) in errors.iter().zip(starts) {
            assert!(error.starts_with(start), "{error}");
        }
        assert_eq!(doubts.len(), 2, "{doubts:?}");
        assert_eq!(
            doubts[0],
            "flexconnect.limits.Slaes has no effect: there is no such function"
        );
        assert!(doubts[1].starts_with("server.advertise_file"), "{doubts:?}");
        let nothing_left = fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(nothing_left, 2, "the settings and the address");
    }

    #[tokio::test]
    async fn a_verifier_and_its_setting_come_together() {
        let folder = tempfile::tempdir().unwrap();
        let custom = "[server]\nauthentication_method = 'token'\ntoken_verification = 'CustomVerification'";
        let with = || Server::builder().verifier(|_| Ok(EnumeratedTokens::new(&[]))).build();
        let without = || Server::builder().build();
        let errors = async |server, settings| check(server, settings, folder.path()).await.0;
        assert!(errors(with(), custom).await.is_empty());
        assert!(errors(without(), "").await.is_empty());
        assert!(errors(without(), custom).await[0].contains("the program brings no verifier"));
        assert!(errors(with(), "").await[0].contains("a verifier that nobody would ask"));
    }
}
