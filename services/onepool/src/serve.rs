//! Running services: everything is built from settings, started, and ended in order.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use bus::Bus;
use kernel::SharedClock;
use runtime::settings::{PlatformSettings, Settings};
use runtime::{Cache, Lifecycle, SystemClock, telemetry};
use service::{Descriptor, Platform, Service, run_job};
use store::Store;
use web::keys::{Issuer, KeySource, Revocations, Verifier};
use web::server::{Running, ServerOptions};
use web::{Limits, Readiness, Site, SiteParts};

use crate::check::platform;
use crate::database::Databases;
use crate::demo;
use crate::loading::report;
use crate::roles::{Selection, topology};
use crate::terminal::say;

/// What all services of this process share.
struct Process {
    settings: Arc<Settings>,
    platform: PlatformSettings,
    clock: SharedClock,
    lifecycle: Lifecycle,
    cache: Cache,
    bus: Bus,
    readiness: Readiness,
}

/// Runs the chosen services until SIGTERM or SIGINT.
pub async fn serve(settings: &Settings, role: &Selection, with_demo: bool) -> anyhow::Result<()> {
    let platform = platform(settings, role).map_err(|faults| report(&faults))?;
    let log = telemetry::init(&traced_as(role), &platform.root.log, &platform.telemetry)
        .context("logs could not be set up")?;
    let lifecycle = Lifecycle::new();
    let clock: SharedClock = Arc::new(SystemClock);
    let data_dir = platform.root.data_dir.clone();
    let databases = Databases::open(settings, role.descriptors(), &data_dir, clock.clone())?;
    let process = Process {
        cache: Cache::connect(&platform.cache).context("cache.url")?,
        bus: Bus::connect(&platform.bus, topology()).context("bus.url")?,
        settings: Arc::new(settings.clone()),
        readiness: Readiness::new(),
        platform,
        clock,
        lifecycle,
    };
    let running = process.start(role, &databases).await?;
    announce(&process, &running, role)?;
    if with_demo {
        load_demo(&process, &running);
    }
    let signal = process.lifecycle.run_until_signal().await?;
    tracing::info!(signal, "stopping: what was begun is finished first");
    running.stop().await;
    let grace = Duration::from_secs(u64::from(process.platform.http.drain_seconds));
    if let Err(unfinished) = process.lifecycle.shutdown(grace).await {
        tracing::warn!(error = %unfinished, "some tasks were cut off; what they had not committed is done again");
    }
    databases.close();
    tracing::info!("stopped");
    // Ending the exporter blocks, which the runtime's own threads must not.
    actix_web::web::block(move || log.shutdown()).await?;
    Ok(())
}

impl Process {
    async fn start(&self, role: &Selection, databases: &Databases) -> anyhow::Result<Running> {
        telemetry::spawn_upkeep(&self.lifecycle);
        let mut services = Vec::new();
        for descriptor in role.descriptors() {
            let (store, embedded) = databases.store(descriptor.name)?;
            if embedded {
                store.migrate(descriptor.migrations.to_vec()).await?;
            }
            self.watch(descriptor, &store);
            let service = (descriptor.build)(&self.built_from(store.clone())).map_err(|faults| report(&faults))?;
            services.push((store, service));
        }
        let (routes, openapi) = services
            .iter()
            .map(|(_, service)| (service.routes.clone(), service.openapi.clone()))
            .unzip::<_, _, Vec<_>, Vec<_>>();
        let parts = SiteParts {
            routes: routes.into_iter().flatten().collect(),
            openapi,
            verifier: self.verifier()?,
            readiness: self.readiness.clone(),
            limits: Limits::from_settings(&self.platform.http, &self.platform.limits),
        };
        let site = Site::new(parts)?;
        for (store, service) in services {
            self.run(&store, service)?;
        }
        Ok(web::server::run(&ServerOptions::from(&self.platform.http), &site, &self.lifecycle)?)
    }

    fn built_from(&self, store: Store) -> Platform {
        Platform {
            cache: self.cache.scoped(store.schema()),
            store,
            clock: self.clock.clone(),
            lifecycle: self.lifecycle.clone(),
            zone: self.platform.root.time_zone,
            settings: self.settings.clone(),
            data_dir: self.platform.root.data_dir.clone(),
        }
    }

    /// A service is ready when its database answers and has every migration.
    fn watch(&self, descriptor: &'static Descriptor, store: &Store) {
        let store = store.clone();
        self.readiness.register(format!("{}.database", descriptor.name), move || {
            let store = store.clone();
            async move {
                let pending = store.pending_migrations(descriptor.migrations.to_vec()).await;
                match pending.map_err(|error| error.to_string())? {
                    names if names.is_empty() => Ok(()),
                    names => Err(format!("migrations have not run: {}", names.join(", "))),
                }
            }
        });
    }

    fn run(&self, store: &Store, service: Service) -> anyhow::Result<()> {
        self.bus.run(store, service.consumers, &self.lifecycle);
        for job in service.jobs {
            run_job(store, job, &self.lifecycle);
        }
        if service.name == gateway::DESCRIPTOR.name {
            self.see_to_administrator(store)?;
        }
        Ok(())
    }

    /// The gateway is ready once the administrator can call; a database that is away is waited for.
    fn see_to_administrator(&self, store: &Store) -> anyhow::Result<()> {
        let administrator = gateway::bootstrap::administrator(&self.platform.auth, &self.platform.root.data_dir)?;
        let (store, administrator) = (store.clone(), Arc::new(administrator));
        let revoker = gateway::revoking::Revoker::new(&self.edge_cache(), self.clock.clone(), &self.platform.auth);
        let done = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let seen = done.clone();
        self.readiness.register("gateway.administrator", move || {
            let done = seen.load(std::sync::atomic::Ordering::Acquire);
            async move { if done { Ok(()) } else { Err("the administrator is not there yet".to_owned()) } }
        });
        self.lifecycle.spawn_supervised("administrator", move || {
            let (store, administrator, done) = (store.clone(), administrator.clone(), done.clone());
            let revoker = revoker.clone();
            async move {
                gateway::bootstrap::ensure(&store, &administrator, &revoker).await?;
                done.store(true, std::sync::atomic::Ordering::Release);
                Ok::<(), store::Error>(())
            }
        });
        Ok(())
    }

    /// Tokens of our own gateway; its key comes from the same file, or from where the gateway publishes it.
    fn verifier(&self) -> anyhow::Result<Verifier> {
        let auth = &self.platform.auth;
        let keys = if auth.jwks_url.is_empty() {
            KeySource::Given(gateway::keys::load_signer(auth, &self.platform.root.data_dir)?.jwks())
        } else {
            KeySource::Url(auth.jwks_url.clone())
        };
        let issuer = Issuer {
            name: auth.issuer.clone(),
            audience: Some(auth.audience.clone()),
            clock_skew_seconds: auth.clock_skew_seconds,
            keys,
        };
        Ok(Verifier::new(vec![issuer], self.clock.clone()).heeding(Revocations::new(&self.edge_cache())))
    }

    /// Where the gateway, wherever it runs, says which clients' tokens are revoked.
    fn edge_cache(&self) -> Cache {
        self.cache.scoped(gateway::DESCRIPTOR.name)
    }
}

/// The name in traces: that of the only service of this process, or the product's.
fn traced_as(role: &Selection) -> String {
    let names: Vec<&str> = role.descriptors().map(|descriptor| descriptor.name).collect();
    if let [only] = names.as_slice() { (*only).to_owned() } else { "onepool".to_owned() }
}

/// Tells a person where to look.
fn announce(process: &Process, running: &Running, role: &Selection) -> anyhow::Result<()> {
    let host = &process.platform.http.host;
    let names: Vec<&str> = role.descriptors().map(|descriptor| descriptor.name).collect();
    say(&format!("OnePool serves {} at http://{host}:{}", names.join(", "), running.port))?;
    say(&format!("  API documentation  http://{host}:{}/docs", running.port))?;
    say(&format!("  health             http://{host}:{}/readyz", running.port))?;
    say(&format!("  metrics            http://{host}:{}/metrics", running.metrics_port))?;
    if names.contains(&gateway::DESCRIPTOR.name) {
        let administrator = gateway::bootstrap::administrator(&process.platform.auth, &process.platform.root.data_dir)?;
        let kept = administrator.kept_in.map_or("as set".to_owned(), |path| format!("in {}", path.display()));
        say(&format!("  administrator      client id {}, secret {kept}", administrator.client_id))?;
    }
    Ok(())
}

fn load_demo(process: &Process, running: &Running) {
    let url = format!("http://{}:{}", process.platform.http.host, running.port);
    let auth = process.platform.auth.clone();
    let data_dir = process.platform.root.data_dir.clone();
    process.lifecycle.spawn("demo", async move {
        if let Err(error) = demo::seed_as_administrator(&url, &auth, &data_dir).await {
            tracing::error!(error = format!("{error:#}"), "the demo data could not be loaded");
        }
    });
}
