//! The physics and the score of the Ariel workload, against those who do it in Python: batman and scipy.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::json;
use spectramind::ariel::transit::{LimbDarkening, Orbit, transmitted};

use crate::sandbox::{Sandbox, python_with, repository, shared};

/// Numbers that look random, the same ones everywhere: the fractions of multiples of the golden ratio.
fn fraction(number: usize) -> f64 {
    (number as f64 * 0.618_033_988_749_894_9).fract()
}

#[test]
fn light_curves_of_a_thousand_real_orbits_are_those_of_batman_to_one_part_in_a_million() {
    let (Some(root), Some(python)) = (shared("ariel/sample"), python_with("batman")) else { return };
    let stars = std::fs::read_to_string(root.join("train_star_info.csv")).expect("the star table");
    let columns: Vec<&str> = stars.lines().next().expect("a header").split(',').collect();
    let column = |name: &str| columns.iter().position(|column| *column == name).expect("a column");
    let places = [column("P"), column("sma"), column("i")];
    let hours: Vec<f64> = (0..81).map(|step| f64::from(step) * 0.1 - 4.0).collect();
    let (mut systems, mut ours, mut grazing) = (String::new(), Vec::new(), 0);
    for (number, row) in stars.lines().skip(1).take(1000).enumerate() {
        let cells: Vec<f64> = row.split(',').map(|cell| cell.parse().expect("a number")).collect();
        let [period_days, semi_major_axis_radii, inclination_degrees] = places.map(|place| cells[place]);
        let orbit = Orbit { period_days, semi_major_axis_radii, inclination_degrees };
        // Depths from 0.0005 to 0.08, and limb darkening whose sum reaches 1.2.
        let radius = (0.0005 + 0.0795 * fraction(number).powi(3)).sqrt();
        let (u1, u2) = (0.8 * fraction(3 * number + 1), 0.4 * fraction(7 * number + 2));
        grazing += usize::from(orbit.impact() + radius > 1.0);
        ours.push(hours.iter().map(|&h| transmitted(orbit.separation(h), radius, LimbDarkening { u1, u2 })).collect());
        let system = json!({
            "period": period_days, "axis": semi_major_axis_radii, "inclination": inclination_degrees,
            "radius": radius, "u1": u1, "u2": u2, "hours": hours,
        });
        systems += &format!("{system}\n");
    }
    let ours: Vec<Vec<f64>> = ours;
    assert!(ours.len() == 1000 && grazing >= 5, "{grazing} of {} graze", ours.len());
    let mut child = Command::new(python)
        .arg(repository().join("tests/oracle/transits.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python starts");
    let mut stdin = child.stdin.take().expect("piped");
    // It answers as it reads, and a full pipe would stop both.
    let writer = std::thread::spawn(move || stdin.write_all(systems.as_bytes()));
    let output = child.wait_with_output().expect("ends");
    writer.join().expect("no panic").expect("written");
    assert!(output.status.success());
    let theirs = String::from_utf8(output.stdout).expect("UTF-8");
    assert_eq!(theirs.lines().count(), 1000);
    let mut worst = 0.0f64;
    for (line, ours) in theirs.lines().zip(&ours) {
        let theirs: Vec<f64> = serde_json::from_str(line).expect("numbers");
        assert_eq!(theirs.len(), ours.len());
        worst = theirs.iter().zip(ours).fold(worst, |worst, (a, b)| worst.max((a - b).abs()));
    }
    assert!(worst < 1e-6, "{} ppm", worst * 1e6);
}

/// A table of `rows` planets with a value for each cell.
fn table(sandbox: &Sandbox, name: &str, rows: usize, sigmas: bool, value: &dyn Fn(usize, usize) -> f64) {
    let header: Vec<String> = (1..=283).map(|w| format!("wl_{w}")).collect();
    let more: Vec<String> = if sigmas { (1..=283).map(|w| format!("sigma_{w}")).collect() } else { Vec::new() };
    let width = header.len() + more.len();
    let mut text = format!("planet_id,{}\n", [header, more].concat().join(","));
    for row in 0..rows {
        let cells: Vec<String> = (0..width).map(|cell| value(row, cell).to_string()).collect();
        text += &format!("{},{}\n", row + 1, cells.join(","));
    }
    std::fs::write(sandbox.path(name), text).expect("write");
}

#[test]
fn scores_are_those_of_scipy_on_random_and_adversarial_submissions() {
    let Some(python) = python_with("scipy") else { return };
    let sandbox = Sandbox::new();
    let depth = |row: usize, cell: usize| 0.002 + 0.03 * fraction(row * 17 + 5) + 0.001 * fraction(row * 283 + cell);
    table(&sandbox, "truth.csv", 7, false, &depth);
    table(&sandbox, "naive.csv", 11, false, &|row, cell| depth(row + 100, cell));
    let near = |row: usize, cell: usize| match cell {
        0..283 => depth(row, cell) + 4e-4 * (fraction(row * 31 + cell) - 0.5),
        _ => 1e-4 + 2e-4 * fraction(row + cell),
    };
    type Cell<'a> = &'a dyn Fn(usize, usize) -> f64;
    let with = |at: (usize, usize), other: f64| {
        move |row: usize, cell: usize| if (row, cell) == at { other } else { near(row, cell) }
    };
    let perfect = |row: usize, cell: usize| if cell < 283 { depth(row, cell) } else { 1e-5 };
    let tiny = |row: usize, cell: usize| if cell < 283 { near(row, cell) } else { 1e-14 };
    let flat = |_: usize, cell: usize| if cell < 283 { 0.017 } else { 0.01 };
    let cases: [(&str, Cell<'_>); 10] = [
        ("near", &near),
        ("perfect", &perfect),
        ("overconfident", &tiny),
        ("naive", &flat),
        ("a sigma of nothing", &with((2, 283), 0.0)),
        ("a sigma below the floor", &with((2, 290), 1e-300)),
        ("a huge mean", &with((3, 4), 1e6)),
        ("a negative mean", &with((3, 4), -1e-9)),
        ("a negative sigma", &with((6, 565), -1e-9)),
        ("no number", &with((0, 1), f64::NAN)),
    ];
    for (name, cell) in cases {
        table(&sandbox, "submission.csv", 7, true, cell);
        let files = ["submission.csv", "truth.csv", "naive.csv"].map(|file| sandbox.path(file));
        let oracle = repository().join("tests/oracle/score.py");
        let output = Command::new(&python).arg(oracle).args(&files).output().expect("python starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let theirs = String::from_utf8(output.stdout).expect("UTF-8");
        let outcome =
            sandbox.run(&["evaluate", "submission=submission.csv", "truth=truth.csv", "naive=naive.csv", "--json"]);
        let Ok(theirs) = theirs.trim().parse::<f64>() else {
            assert_eq!((theirs.trim(), outcome.code), ("rejected", 1), "{name}: {}", outcome.stdout);
            continue;
        };
        assert_eq!(outcome.code, 0, "{name}: {}", outcome.stderr);
        let ours: serde_json::Value = serde_json::from_str(&outcome.stdout).expect("JSON");
        let ours = ours["unclipped"].as_f64().expect("a number");
        assert!((ours - theirs).abs() <= 1e-12 * theirs.abs().max(1.0), "{name}: {ours} and {theirs}");
    }
}
