//! Faults of a configuration file for people: file, line, caret, remedy.

use super::exit::ConfigFailure;
use crate::config::ConfigError;
use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode};
use std::fmt;

/// All faults, one after the other, without colour.
pub fn report(failure: &ConfigFailure) -> String {
    match failure {
        ConfigFailure::Unreadable { why, .. } => {
            format!("{why}\n  help: name the file with --config; config.toml.example shows what belongs in it\n")
        }
        ConfigFailure::Faults { path, text, faults } => {
            let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor()).with_width(120);
            let source = NamedSource::new(path.display().to_string(), text.clone());
            let mut report = String::new();
            for fault in faults {
                if handler.render_report(&mut report, &Fault { source: &source, fault }).is_err() {
                    report.push_str(&format!("{}: {fault}\n", path.display()));
                }
            }
            report
        }
    }
}

struct Fault<'a> {
    source: &'a NamedSource<String>,
    fault: &'a ConfigError,
}

impl fmt::Debug for Fault<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Fault<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.fault.path.is_empty() {
            write!(f, "{}: ", self.fault.path)?;
        }
        f.write_str(&self.fault.problem)
    }
}

impl std::error::Error for Fault<'_> {}

impl Diagnostic for Fault<'_> {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        let remedy = self.fault.remedy.as_str();
        (!remedy.is_empty()).then(|| Box::new(remedy) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.fault.span.as_ref().map(|_| self.source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let span = self.fault.span.clone()?;
        Some(Box::new(std::iter::once(LabeledSpan::new_with_span(Some("here".to_string()), span))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn a_fault_is_shown_with_file_line_caret_and_remedy() {
        let text = "[gateway]\nlisten = [\"0.0.0.0:80\"]\n".to_string();
        let faults = Config::read(&text).unwrap_err();
        let report = report(&ConfigFailure::Faults { path: "/etc/x.toml".into(), text, faults });
        for expected in ["/etc/x.toml:2:11", "gateway.listen[0]: 0.0.0.0:80", "help: listen on 127.0.0.1", "here"] {
            assert!(report.contains(expected), "{expected} in\n{report}");
        }
    }
}
