//! The report as JUnit XML, in the elements that Jenkins, GitLab and GitHub's actions have in common.
//!
//! What could not be checked is an `error`, not `skipped`: a CI counts skipped tests as no reason to stop.

use std::io;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};
use spectramind::verify::{Check, Finding, Report, Verdict};

use super::{SELF_CHECK, facts, line, shown, trained_again, word};

const NAME: &str = "spectramind-verify";

pub fn render(report: &Report) -> String {
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    write(report, &mut writer).expect("writing to memory does not fail");
    String::from_utf8(writer.into_inner()).expect("XML made of text") + "\n"
}

fn write(report: &Report, writer: &mut Writer<Vec<u8>>) -> io::Result<()> {
    let count = |verdict| report.checks.iter().filter(|check| check.verdict == verdict).count().to_string();
    let (tests, failures, errors) =
        (report.checks.len().to_string(), count(Verdict::Failed), count(Verdict::NotChecked));
    let counts = [("tests", &*tests), ("failures", &*failures), ("errors", &*errors)];
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    writer.create_element("testsuites").with_attribute(("name", NAME)).with_attributes(counts).write_inner_content(
        |writer| {
            let suite = writer.create_element("testsuite").with_attribute(("name", &*shown(&report.subject)));
            suite.with_attributes(counts).with_attribute(("skipped", "0")).write_inner_content(|writer| {
                properties(report, writer)?;
                report.checks.iter().try_for_each(|check| testcase(check, writer))?;
                let not_proved = format!("no check here proves:\n- {}", report.not_proved.join("\n- "));
                text_element("system-out", &not_proved, writer)
            })?;
            Ok(())
        },
    )?;
    Ok(())
}

fn properties(report: &Report, writer: &mut Writer<Vec<u8>>) -> io::Result<()> {
    let self_check = report.self_check.then(|| ("note", SELF_CHECK.into()));
    let trained = report.run.as_ref().map(|_| trained_again(report)).map(|(word, how_much)| (word, how_much.into()));
    let all: Vec<_> = trained.into_iter().chain(facts(report)).chain(self_check).collect();
    if all.is_empty() {
        return Ok(());
    }
    writer.create_element("properties").write_inner_content(|writer| {
        for (name, value) in &all {
            let property = writer.create_element("property").with_attribute(("name", *name));
            property.with_attribute(("value", &**value)).write_empty()?;
        }
        Ok(())
    })?;
    Ok(())
}

fn testcase(check: &Check, writer: &mut Writer<Vec<u8>>) -> io::Result<()> {
    let name = shown(&check.name);
    let case = writer.create_element("testcase").with_attribute(("name", &*name)).with_attribute(("classname", NAME));
    let (bad, notes): (Vec<_>, Vec<_>) = check.findings.iter().partition(|finding| finding.verdict != Verdict::Passed);
    case.write_inner_content(|writer| {
        let element = match check.verdict {
            Verdict::Passed => None,
            Verdict::Failed => Some(("failure", "failed")),
            Verdict::NotChecked => Some(("error", "notChecked")),
        };
        if let Some((element, kind)) = element {
            let worst = bad.iter().find(|finding| finding.verdict == check.verdict);
            let message = worst.map_or(word(check.verdict).into(), |finding| shown(&finding.message));
            let element = writer.create_element(element).with_attribute(("type", kind));
            element.with_attribute(("message", &*message)).write_text_content(BytesText::new(&lines(&bad)))?;
        }
        if !notes.is_empty() {
            text_element("system-out", &lines(&notes), writer)?;
        }
        Ok(())
    })?;
    Ok(())
}

fn text_element(name: &str, text: &str, writer: &mut Writer<Vec<u8>>) -> io::Result<()> {
    writer.create_element(name).write_text_content(BytesText::new(text))?;
    Ok(())
}

fn lines(findings: &[&Finding]) -> String {
    findings.iter().map(|finding| line(finding)).collect::<Vec<_>>().join("\n")
}
