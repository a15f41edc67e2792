//! DVC: a `.dvc` file; a `dvc.lock`, with a `dvc.yaml` behind a line `%%`; a signed list of outputs. What is read of the
//! list is written as the same bytes.

#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use spectramind::provenance::dvc::document::{outputs_of_dvc_file, outputs_of_lock};
use spectramind::provenance::dvc::{outputs_from_jsonl, outputs_to_jsonl};

fuzz_target!(|text: &str| -> Corpus {
    for output in outputs_of_dvc_file(text).unwrap_or_default() {
        assert_eq!(output.checksum.to_string().parse(), Ok(output.checksum));
    }
    let (lock, pipeline) = match text.split_once("\n%%\n") {
        Some((lock, pipeline)) => (lock, Some(pipeline)),
        None => (text, None),
    };
    for output in outputs_of_lock(lock, pipeline).unwrap_or_default() {
        assert!(output.stage.is_some() && !output.folder.contains("${"));
    }
    if let Ok(outputs) = outputs_from_jsonl(text.as_bytes()) {
        assert_eq!(outputs_to_jsonl(&outputs), text);
    }
    Corpus::Keep
});
