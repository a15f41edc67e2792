//! A log of events that says something else than the rest of the record.

use spectramind::event_log::{DEBUG_LOG, EVENTS, EventLine, ExitReason, Figure, Head, METRICS, RunEvent};
use spectramind::manifest::predicate::TrainingRun;
use spectramind::manifest::statement::Statement;
use spectramind::manifest::strict_json::DecimalU64;

use super::assert_fails;
use crate::forgery::{events, forge_alone, put_digest, put_events, statement, training};
use crate::sandbox::{Sandbox, trained_copy};

/// Signs a run after a change, and nothing of it is made to agree.
fn forge_only(change: impl FnOnce(&Sandbox, &mut Statement<TrainingRun>)) -> Sandbox {
    let sandbox = trained_copy();
    forge_alone(&sandbox, |statement| change(&sandbox, statement));
    sandbox
}

/// The same of a log that is a chain again.
fn retold(change: impl FnOnce(&mut Vec<EventLine>)) -> Sandbox {
    forge_only(|sandbox, statement| {
        let mut lines = events(sandbox, "run");
        change(&mut lines);
        put_events(sandbox, "run", statement, &lines);
    })
}

fn assert_found(sandbox: &Sandbox, finding: &str) {
    assert_fails(&sandbox.audit(&[]), &format!("record: FAILED: {finding}"));
}

/// A figure of the first event that has it.
fn figure<'a>(lines: &'a mut [EventLine], name: &str) -> &'a mut f64 {
    let figures = lines.iter_mut().filter_map(|line| match &mut line.event {
        RunEvent::Trained { figures, .. } | RunEvent::Finished { figures, .. } => Some(figures),
        _ => None,
    });
    &mut figures.flatten().find(|Figure { name: found, .. }| found == name).expect("a figure").value
}

#[test]
fn the_honest_log_is_a_chain_whose_head_is_signed() {
    let sandbox = trained_copy();
    let text = std::fs::read_to_string(sandbox.path("run").join(EVENTS)).expect("read");
    let head = Head::of(text.lines());
    let mut statement = statement(&sandbox, "run");
    let record = training(&mut statement).events.clone().expect("a log of events");
    assert_eq!((record.count.0, record.head), (head.count, head.digest));
    let lines = events(&sandbox, "run");
    assert!(matches!(&lines[0].event, RunEvent::Begun { .. }), "{lines:?}");
    assert!(lines.iter().any(|line| matches!(&line.event, RunEvent::Trained { .. })), "{lines:?}");
    let audit = sandbox.audit(&[]);
    assert_eq!(audit.code, 0, "{}", audit.stdout);
}

#[test]
fn an_event_that_was_left_out_breaks_the_chain() {
    let sandbox = forge_only(|sandbox, statement| {
        let path = sandbox.path("run").join(EVENTS);
        let text = std::fs::read_to_string(&path).expect("read");
        let kept: Vec<_> =
            text.split_inclusive('\n').enumerate().filter(|(at, _)| *at != 2).map(|(_, line)| line).collect();
        std::fs::write(&path, kept.concat()).expect("write");
        put_digest(sandbox, statement, EVENTS);
    });
    assert_found(&sandbox, "logs/events.jsonl: line 3: expected to follow the line before it");
}

#[test]
fn a_chain_with_another_head_or_length_than_the_signed_one_is_found() {
    let sandbox = forge_only(|_, statement| {
        training(statement).events.as_mut().expect("a log").head = Head::of_nothing().digest;
    });
    assert_found(&sandbox, "logs/events.jsonl: expected to end with ");
    let sandbox = forge_only(|_, statement| training(statement).events.as_mut().expect("a log").count = DecimalU64(3));
    assert_found(&sandbox, "logs/events.jsonl: expected 3 events, as signed, got ");
}

#[test]
fn another_loss_than_that_of_the_step_log_is_found() {
    let sandbox = retold(|lines| *figure(lines, "train/loss") += 1.0);
    assert_found(&sandbox, "logs/events.jsonl: step ");
}

#[test]
fn another_score_than_the_signed_one_is_found() {
    let sandbox = retold(|lines| *figure(lines, "test/score") += 1.0);
    assert_found(&sandbox, "logs/events.jsonl: expected the signed figures at the end, got others");
}

#[test]
fn a_signed_figure_that_is_left_out_at_the_end_is_found() {
    let sandbox = retold(|lines| {
        let last = &mut lines.last_mut().expect("a line").event;
        let RunEvent::Finished { figures, .. } = last else { panic!("{last:?}") };
        figures.pop();
    });
    assert_found(&sandbox, "logs/events.jsonl: expected the signed figures at the end, got others");
}

#[test]
fn a_figure_on_the_way_that_only_one_log_has_is_found() {
    let sandbox = forge_only(|sandbox, statement| {
        let path = sandbox.path("run").join(METRICS);
        let text = std::fs::read_to_string(&path).expect("read");
        let (before, after) = text.split_once("train/loss_epoch,").expect("a figure");
        std::fs::write(&path, format!("{before}train/loss_epoch,1{after}")).expect("write");
        put_digest(sandbox, statement, METRICS);
    });
    assert_found(&sandbox, "logs/metrics.csv: expected what logs/events.jsonl says, got something else");
}

#[test]
fn another_end_than_the_signed_one_is_found() {
    let sandbox = retold(|lines| {
        let last = &mut lines.last_mut().expect("a line").event;
        let RunEvent::Finished { reason, .. } = last else { panic!("{last:?}") };
        *reason = ExitReason::MaxTime;
    });
    assert_found(&sandbox, "logs/events.jsonl: expected to end with finished at step ");
    let sandbox = retold(|lines| drop(lines.pop()));
    assert_found(&sandbox, "logs/events.jsonl: expected to end with finished at step ");
}

#[test]
fn the_log_of_another_run_is_found() {
    let sandbox =
        retold(|lines| lines[0].event = RunEvent::Begun { run: "x".into(), config: Head::of_nothing().digest });
    assert_found(&sandbox, "logs/events.jsonl: line 1: expected the beginning of this run, with its config");
}

#[test]
fn time_that_goes_backwards_is_found() {
    let sandbox = retold(|lines| lines[1].elapsed_seconds = 1e6);
    assert_found(&sandbox, "logs/events.jsonl: line 3: expected a time of at least 1000000 s");
}

#[test]
fn a_log_for_people_that_says_something_else_is_found() {
    let sandbox = forge_only(|sandbox, statement| {
        std::fs::write(sandbox.path("run").join(DEBUG_LOG), "# all went well\n").expect("write");
        put_digest(sandbox, statement, DEBUG_LOG);
    });
    assert_found(&sandbox, "v50_debug_log.md: expected what logs/events.jsonl says, got something else");
}

#[test]
fn a_log_that_the_statement_does_not_have_is_found_and_one_that_is_not_there_too() {
    let sandbox = forge_only(|_, statement| training(statement).events = None);
    assert_found(&sandbox, "logs/events.jsonl: expected no log of events, as the statement has none, got one");
    let sandbox = forge_only(|sandbox, statement| {
        std::fs::remove_file(sandbox.path("run").join(EVENTS)).expect("remove");
        statement.subject.retain(|subject| subject.name.as_str() != EVENTS);
        statement.predicate.files.retain(|file| file.path.as_str() != EVENTS);
    });
    assert_found(&sandbox, "logs/events.jsonl is not among the signed files");
}
