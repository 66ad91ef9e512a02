//! Causes and their functions, and objects, beside the peer that has them all: MiniStack keeps both in memory, and Hearth
//! on disk before it acknowledges them.

use std::path::Path;

use super::ministack;
use crate::bench::function::Kind;
use crate::bench::heard::Heard;
use crate::bench::measures::{Measured, measure_objects, measure_triggers};
use crate::bench::process::Process;
use crate::bench::report::Report;
use crate::run::step;

pub fn compare(report: &mut Report, root: &Path, binary: &Path, home: &Path) -> anyhow::Result<()> {
    let data = home.join("triggers");
    let _ = std::fs::remove_dir_all(&data);
    let heard = Heard::open()?;
    let hearth = Process::start_with(binary, |command| {
        command.arg("--data-dir").arg(&data).arg("--allow-host").arg(format!("127.0.0.1:{}", heard.port()));
    })?;
    let mut rows = Vec::new();
    step("measuring: triggers and objects, Hearth (durable)");
    let tells = tells(root, "host.docker.internal", &heard)?;
    let gives_back = Kind::python(root, "lambda_function.py", "lambda_function.handler")?;
    rows.push(("Hearth (durable)", measure_triggers(hearth.address(), &heard, &tells, &gives_back)?));
    measure_objects(hearth.address(), report, "Hearth (durable)")?;
    hearth.stop()?;
    step("installing and starting MiniStack");
    let measured = ministack::run(home).and_then(|(_running, address)| {
        let tells = self::tells(root, "127.0.0.1", &heard)?;
        rows.push(("MiniStack", measure_triggers(address, &heard, &tells, &gives_back)?));
        measure_objects(address, report, "MiniStack")
    });
    if let Err(error) = measured {
        eprintln!("MiniStack is left out for triggers and objects: {error:#}");
    }
    let medians: Vec<_> = rows[0].1.iter().map(|(_, measured)| measured.median()).collect();
    for (name, figures) in rows {
        for ((row, measured), own) in figures.into_iter().zip(&medians) {
            let row = format!("{row}, {name}");
            match &measured {
                Measured::Starts(times) => {
                    let ratio = own.map(|own| times.percentile(50).as_secs_f64() / own.as_secs_f64());
                    report.compared(&row, times, None, ratio);
                }
                Measured::Rate { count, per_second } => report.rate(&row, *count, *per_second),
            }
        }
    }
    Ok(())
}

/// A function that calls; where, depends on what surrounds it.
fn tells(root: &Path, host: &str, heard: &Heard) -> anyhow::Result<Kind> {
    Ok(Kind::python(root, "tells.py", "tells.handler")?.calling(host, heard.port()))
}
