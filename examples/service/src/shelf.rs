//! The tables of all tenants, within bounds.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use flexconnect_server::arrow::array::RecordBatch;
use flexconnect_server::arrow::datatypes::SchemaRef;
use flexconnect_server::{FlightError, FunctionError, HealthModule, Metrics, Output};
use prometheus::{IntCounter, IntGauge};

use crate::settings::ShelfSettings;

/// How often tables that nobody keeps any longer are thrown away.
const PASS: Duration = Duration::from_secs(1);

/// A table of one tenant.
#[derive(Clone)]
pub(crate) struct Shelved {
    /// The columns.
    pub(crate) schema: SchemaRef,
    /// The rows, as they were uploaded.
    pub(crate) batches: Vec<RecordBatch>,
    since: Instant,
}

impl Shelved {
    /// A table that is put on the shelf now.
    pub(crate) fn new(schema: SchemaRef, batches: Vec<RecordBatch>) -> Self {
        Self {
            schema,
            batches,
            since: Instant::now(),
        }
    }

    /// Rows in all batches.
    pub(crate) fn rows(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }
}

impl From<Shelved> for Output {
    fn from(table: Shelved) -> Self {
        Self::table(table.schema, table.batches)
    }
}

/// Tenant and name.
type Place = (String, String);

/// All tables. Clones are the same shelf.
#[derive(Clone)]
pub(crate) struct Shelf {
    settings: ShelfSettings,
    tables: Arc<Mutex<BTreeMap<Place, Shelved>>>,
    count: IntGauge,
    rows: IntCounter,
}

impl Shelf {
    /// An empty shelf.
    pub(crate) fn new(settings: ShelfSettings) -> Self {
        let count = IntGauge::new("shelf_tables", "Tables on the shelf.").expect("a good name");
        let rows = IntCounter::new("shelf_rows_total", "Rows that were put on the shelf.").expect("a good name");
        Self {
            settings,
            tables: Arc::default(),
            count,
            rows,
        }
    }

    /// Shows the metrics of the shelf beside those of the server.
    pub(crate) fn register(&self, metrics: &Metrics) -> Result<(), FunctionError> {
        metrics.register(Box::new(self.count.clone()))?;
        metrics.register(Box::new(self.rows.clone()))?;
        Ok(())
    }

    /// Throws away what was kept for long enough, forever. Should that ever end, only a restart helps: then the module is
    /// not well, and `/live` says so.
    pub(crate) fn keep_house(&self, health: HealthModule) {
        struct Unwell(HealthModule);
        impl Drop for Unwell {
            fn drop(&mut self) {
                self.0.not_ok();
            }
        }
        let house = self.clone();
        tokio::spawn(async move {
            let health = Unwell(health);
            loop {
                house.throw_away();
                health.0.ok();
                tokio::time::sleep(PASS).await;
            }
        });
    }

    fn throw_away(&self) {
        let keep = self.settings.keep();
        let mut tables = self.lock();
        tables.retain(|_, table| table.since.elapsed() < keep);
        self.counted(&tables);
    }

    /// Puts a table on the shelf, in place of one of the same name.
    ///
    /// # Errors
    /// `BACKPRESSURE` when the shelf is full.
    pub(crate) fn put(&self, tenant: &str, name: &str, table: Shelved) -> Result<(), FlightError> {
        let mut tables = self.lock();
        let place = (tenant.to_owned(), name.to_owned());
        if tables.len() >= self.settings.max_tables && !tables.contains_key(&place) {
            return Err(FlightError::backpressure("The shelf is full. Try again later."));
        }
        self.rows.inc_by(table.rows() as u64);
        tables.insert(place, table);
        self.counted(&tables);
        Ok(())
    }

    /// Bytes that one table may have.
    pub(crate) const fn max_table_bytes(&self) -> usize {
        self.settings.max_table_bytes
    }

    /// A table of a tenant.
    pub(crate) fn get(&self, tenant: &str, name: &str) -> Result<Shelved, FlightError> {
        let place = (tenant.to_owned(), name.to_owned());
        self.lock().get(&place).cloned().ok_or_else(|| missing(name))
    }

    /// Takes a table off the shelf.
    pub(crate) fn drop(&self, tenant: &str, name: &str) -> Result<(), FlightError> {
        let mut tables = self.lock();
        let place = (tenant.to_owned(), name.to_owned());
        tables.remove(&place).ok_or_else(|| missing(name))?;
        self.counted(&tables);
        Ok(())
    }

    /// All tables of a tenant, by name.
    pub(crate) fn of(&self, tenant: &str) -> Vec<(String, Shelved)> {
        let tables = self.lock();
        let of_tenant = tables.iter().filter(|((owner, _), _)| owner == tenant);
        of_tenant
            .map(|((_, name), table)| (name.clone(), table.clone()))
            .collect()
    }

    fn counted(&self, tables: &BTreeMap<Place, Shelved>) {
        self.count.set(i64::try_from(tables.len()).unwrap_or(i64::MAX));
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Place, Shelved>> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn missing(name: &str) -> FlightError {
    FlightError::bad_argument(format!("There is no table '{name}' on the shelf."))
}
