//! The pages as a book: every one of them stands in it, and links lead to a file and a heading that are there.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use crate::docs::{Page, pages, read};
use crate::sandbox::repository;

/// The links of a page, and the anchors of its headings as GitHub and mdBook make them.
fn links_and_anchors(text: &str) -> (Vec<String>, BTreeSet<String>) {
    let (mut links, mut anchors, mut heading) = (Vec::new(), BTreeSet::new(), None);
    for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
        match event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                links.push(dest_url.into_string())
            }
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::Text(words) | Event::Code(words) => {
                if let Some(heading) = &mut heading {
                    heading.push_str(&words);
                }
            }
            Event::End(TagEnd::Heading(_)) => {
                let title = heading.take().expect("a heading began").to_lowercase();
                let kept = title.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
                anchors.insert(kept.map(|c| if c == ' ' { '-' } else { c }).collect());
            }
            _ => {}
        }
    }
    (links, anchors)
}

#[test]
fn every_link_between_pages_leads_to_a_file_and_a_heading_that_are_there() {
    let mut paths: Vec<String> = pages().into_iter().map(|page| page.path).collect();
    paths.extend(["CONTRIBUTING.md", "SECURITY.md"].map(str::to_owned));
    let (mut anchored, mut checked) = (0, 0);
    for path in paths {
        let folder = Path::new(&path).parent().expect("a folder");
        for link in links_and_anchors(&read(&path)).0 {
            if link.contains("://") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = if file.is_empty() { PathBuf::from(&path) } else { folder.join(file) };
            assert!(repository().join(&target).exists(), "{path}: there is no {link}");
            if !anchor.is_empty() {
                let anchors = links_and_anchors(&read(&target)).1;
                assert!(anchors.contains(anchor), "{path}: {link}: expected one of {anchors:?}");
                anchored += 1;
            }
            checked += 1;
        }
    }
    assert!(checked > 60 && anchored > 0, "{checked} links, {anchored} with an anchor");
}

#[test]
fn every_page_of_docs_stands_in_the_book() {
    let (links, _) = links_and_anchors(&read("docs/SUMMARY.md"));
    let links: BTreeSet<String> = links.into_iter().collect();
    let below_docs = |page: Page| page.path.strip_prefix("docs/").map(str::to_owned);
    let there: BTreeSet<String> =
        pages().into_iter().filter_map(below_docs).filter(|name| name != "SUMMARY.md").collect();
    assert!(there.len() > 15, "{there:?}");
    assert_eq!(links, there);
}
