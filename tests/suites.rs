//! Burn's own suites (tests/burn/): how their outcome is judged, and what the page says of it.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::sandbox::repository;

/// What `cargo test` prints of the four suites, of which one test is as `outcome` says.
fn log(outcome: &str, said: &str) -> String {
    let suites = [("tests/tensor.rs", "tensor"), ("tests/autodiff.rs", "autodiff")];
    let suites = suites
        .into_iter()
        .chain([("unittests src/lib.rs", "suite_burn_nn"), ("unittests src/lib.rs", "suite_burn_optim")]);
    let mut text = String::new();
    for (source, name) in suites {
        let (result, count) = if name == "tensor" { (outcome, said) } else { ("ok", "") };
        let [passed, failed] = if result == "ok" { [1, 0] } else { [0, 1] };
        text += &format!(
            "     Running {source} (target/debug/deps/{name}-0123456789abcdef)\n\nrunning 1 test\ntest {name}::float::a ... {result}\n"
        );
        if !count.is_empty() {
            text += &format!("\nfailures:\n\n---- {name}::float::a stdout ----\n{count}\n");
        }
        text +=
            &format!("\ntest result: x. {passed} passed; {failed} failed; 0 ignored; 0 measured; 0 filtered out\n\n");
    }
    text
}

/// Exit status and output of the judge.
fn judged(known: &str, log: &str) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let (known_path, log_path) = (folder.path().join("known.txt"), folder.path().join("cpu.log"));
    std::fs::File::create(&known_path).and_then(|mut file| file.write_all(known.as_bytes())).expect("write");
    std::fs::write(&log_path, log).expect("write");
    let output = Command::new("awk")
        .args(["-v", "backend=cpu", "-f"])
        .arg(repository().join("tests/burn/table.awk"))
        .args([known_path, log_path])
        .stderr(Stdio::inherit())
        .output()
        .expect("awk");
    (output.status.code(), String::from_utf8(output.stdout).expect("UTF-8"))
}

#[test]
fn a_failure_of_burns_suites_is_one_unless_it_is_listed_or_a_refusal() {
    let row = |text: &str, area: &str| -> Vec<String> {
        let row = text.lines().find(|line| line.starts_with(area)).expect("the area");
        row[area.len()..].split_whitespace().map(str::to_owned).collect()
    };
    let (status, text) = judged("", &log("ok", ""));
    assert_eq!((status, row(&text, "all")), (Some(0), ["4", "4", "0", "0", "0"].map(str::to_owned).into()), "{text}");

    let panic = "thread 'x' panicked at src/lib.rs:1:1:\nassertion failed: left == right";
    let (status, text) = judged("", &log("FAILED", panic));
    assert_eq!((status, row(&text, "tensor float")), (Some(1), ["1", "0", "1", "0", "0"].map(str::to_owned).into()));
    assert!(text.contains("FAILED tensor tensor::float::a"), "{text}");
    let listed = "cpu tensor tensor::float::a # a reason\nvulkan tensor tensor::float::b # another backend's\n";
    assert_eq!(judged(listed, &log("FAILED", panic)).0, Some(0));
    let (status, text) = judged(listed, &log("ok", ""));
    assert_eq!(status, Some(1), "{text}");
    assert!(text.contains("listed in known.txt, but does not fail: tensor tensor::float::a"), "{text}");

    let refusal = "thread 'x' panicked at src/lib.rs:1:1:\n`rfft` is not portable yet: refused in portable mode";
    let (status, text) = judged("", &log("FAILED", refusal));
    assert_eq!((status, row(&text, "tensor float")), (Some(0), ["1", "0", "0", "1", "0"].map(str::to_owned).into()));
    assert!(text.contains("refused: rfft, 1 tests"), "{text}");

    let cut = log("ok", "").replace("suite_burn_optim", "something_else");
    let (status, text) = judged("", &cut);
    assert_eq!(status, Some(3), "{text}");
    assert!(text.contains("burn-optim was not built, or did not come to its end"), "{text}");
}

#[test]
fn the_page_of_burns_suites_adds_up_and_its_commands_are_the_weekly_jobs() {
    let read = |path: &str| std::fs::read_to_string(repository().join(path)).expect("read");
    let (page, weekly) = (read("docs/burn-suites.md"), read(".github/workflows/weekly.yml"));
    let mut tables = 0;
    let mut sums = vec![0; 5];
    for line in page.lines().filter(|line| line.starts_with('|')) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let numbers: Option<Vec<u32>> = cells[1..].iter().map(|cell| cell.replace(' ', "").parse().ok()).collect();
        let Some(numbers) = numbers.filter(|numbers| numbers.len() == 5) else { continue };
        assert_eq!(numbers[0], numbers[1..].iter().sum::<u32>(), "{line}");
        if cells[0] == "all" {
            assert_eq!(numbers, sums, "{line}");
            (tables, sums) = (tables + 1, vec![0; 5]);
        } else {
            sums.iter_mut().zip(numbers).for_each(|(sum, number)| *sum += number);
        }
    }
    assert!(tables >= 4, "{tables} tables: before and after on the CPU, without seeds, and on software Vulkan");
    let commands: Vec<&str> =
        page.lines().filter_map(|line| line.strip_prefix("    ")).filter(|line| !line.trim().is_empty()).collect();
    assert!(commands.len() >= 3, "{commands:?}");
    for command in commands {
        assert!(weekly.contains(&format!("run: {command}")), "the weekly job does not run `{command}`");
    }
}
