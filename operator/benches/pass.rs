//! What a pass over an unchanged object costs without the API server: validate and build, keys and tokens kept.
#![allow(missing_docs, reason = "the macros of criterion make undocumented functions")]
#![allow(clippy::unwrap_used, reason = "a bench fails by panicking")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use flexconnect_crds::Manifest;
use flexconnect_operator::build::{Secrets, build};
use flexconnect_operator::dereference::References;
use flexconnect_operator::validate::validate;
use jiff::Timestamp;

fn manifest(replicas: u16, sources: &str) -> Manifest {
    let text = format!(
        "
apiVersion: flexconnect.dev/v1alpha1
kind: FlexConnectServer
metadata: {{name: sales, namespace: analytics, uid: u1}}
spec:
  replicas: {replicas}
  server: {{image: 'sales:1', env: [{{name: RUST_LOG, value: info}}], resources: {{limits: {{memory: 1Gi}}}}}}
  settings: {{sales: {{api_url: 'https://api.example.com', limit: 10}}, server: {{task_threads: 64}}}}
  dataSources: [{sources}]
---
apiVersion: v1
kind: Secret
metadata: {{name: gooddata}}
stringData: {{token: t}}
"
    );
    Manifest::read(&text).unwrap()
}

fn passes(criterion: &mut Criterion) {
    let source = "{id: sales, endpoint: 'https://acme.example.com', tokenSecret: {name: gooddata, key: token}}";
    let mut group = criterion.benchmark_group("validate and build");
    for (replicas, sources) in [(3, source), (1000, "")] {
        let Manifest { server, secrets, .. } = manifest(replicas, sources);
        let references = secrets.into_iter().collect::<References>();
        let now = Timestamp::now();
        let first = build(&validate(&server, &references).unwrap(), &Secrets::default(), 0, now).unwrap();
        let kept = first.secrets;
        group.bench_function(BenchmarkId::new("replicas", replicas), |bencher| {
            bencher.iter(|| {
                let fleet = validate(black_box(&server), black_box(&references)).unwrap();
                build(&fleet, black_box(&kept), replicas, now).unwrap()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, passes);
criterion_main!(benches);
