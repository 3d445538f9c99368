//! The cost of each stage for the chart in this repository: `cargo bench`. See `benches/compare`
//! for whole processes compared with real Helm.

use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use std::path::Path;
use thebot_lint::Format;
use thebot_lint::Options;
use thebot_lint::Style;
use thebot_lint::internals::Limits;
use thebot_lint::internals::RenderedChart;
use thebot_lint::internals::Setup;
use thebot_lint::internals::Sources;
use thebot_lint::internals::deep;
use thebot_lint::internals::helm;
use thebot_lint::internals::helm::Capabilities;
use thebot_lint::internals::helm::Environment;
use thebot_lint::internals::helm::render;
use thebot_lint::internals::kubernetes;
use thebot_lint::internals::yaml;
use thebot_lint::lint;

const CHART: &str = "charts/thebot";

fn rendered(setup: &Setup, options: &Options) -> RenderedChart {
    let (mut sources, mut found) = (setup.sources.clone(), Vec::new());
    RenderedChart::new(Path::new(CHART), setup, options, &mut sources, &mut found)
        .expect("renders")
        .expect("loads")
}

fn stages(criterion: &mut Criterion) {
    let options = Options {
        paths: vec![CHART.into()],
        ..Options::default()
    };
    let file = thebot_lint::internals::find(Path::new(CHART));
    let setup = || Setup::new(file.as_deref(), &options).expect("a setup");
    criterion.bench_function("setup", |b| b.iter(|| black_box(setup())));
    criterion.bench_function("load", |b| {
        b.iter(|| helm::load(CHART, &mut Sources::default(), helm::Options::default()).is_ok())
    });
    let one = setup();
    criterion.bench_function("render all environments and versions", |b| {
        b.iter(|| rendered(&one, &options).renders.len());
    });
    let mut sources = Sources::default();
    let chart = helm::load(CHART, &mut sources, helm::Options::default()).expect("loads");
    let environment = Environment::new("default");
    let inputs = environment
        .prepare(&chart, &mut sources)
        .expect("has values");
    for (name, provenance) in [
        ("render one environment", true),
        ("the same without provenance", false),
    ] {
        let capabilities = &Capabilities::default();
        let options = render::Options {
            capabilities,
            others: &[],
            stop: true,
            provenance,
            skip_schema: false,
            only: None,
            limits: &sources.limits,
        };
        criterion.bench_function(name, |b| {
            deep(|| {
                b.iter(|| {
                    render::render(
                        &chart,
                        &sources,
                        &environment,
                        &inputs,
                        options,
                        &render::Cache::default(),
                        1,
                    )
                    .outputs
                    .len()
                })
            });
        });
    }
    let rendering = rendered(&one, &options);
    let objects: Vec<_> = rendering.objects().collect();
    criterion.bench_function("judge all objects by the schemas", |b| {
        let schemas = kubernetes::Schemas::default();
        b.iter(|| {
            objects
                .iter()
                .map(|o| kubernetes::check(o, rendering.versions, &schemas).len())
                .sum::<usize>()
        });
    });
    criterion.bench_function("judge all objects by the rules", |b| {
        b.iter(|| {
            objects
                .iter()
                .map(|o| one.rules.check_object(o, &Limits::default()).len())
                .sum::<usize>()
        })
    });
    let values = std::fs::read(format!("{CHART}/values.yaml")).expect("values.yaml");
    criterion.bench_function("read values.yaml", |b| {
        b.iter(|| {
            yaml::parse(
                black_box(&values),
                thebot_lint::internals::SourceId::new(0, 0),
                0,
            )
            .is_ok()
        })
    });
    criterion.bench_function("lint", |b| b.iter(|| lint(&options).expect("lints")));
    let report = lint(&options).expect("lints");
    criterion.bench_function("write HTML", |b| {
        b.iter(|| report.write(Format::Html, Style::default()))
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = stages
}
criterion_main!(benches);
