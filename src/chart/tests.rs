use super::*;

fn sheet(name: &str) -> Sheet {
    let x: Vec<f64> = (0..50).map(|i| f64::from(i) / 10.0).collect();
    let line = x.iter().map(|x| (*x, x * x)).collect();
    let band = x.iter().map(|x| (*x, x * x - 1.0, x * x + 1.0)).collect();
    let panel = Panel {
        title: name.into(),
        x: Axis::new(format!("{name} (µm)"), 0.0..5.0),
        y: Axis::new(format!("{name} (ppm)"), -2.0..27.0),
        series: vec![
            Series::new("band", Colour::Blue, Mark::Band(band)),
            Series::new(name, Colour::Vermilion, Mark::Line(line, Stroke::Solid)),
            Series::new("points", Colour::Black, Mark::Points(vec![(1.0, 2.0), (f64::NAN, 1.0)])),
            Series::new("bars", Colour::Green, Mark::ErrorBars(vec![(2.0, 3.0, 1.0)])),
            Series::new("dashed", Colour::Grey, Mark::Line(vec![(0.0, 0.0), (5.0, 25.0)], Stroke::Dashed)),
        ],
    };
    Sheet { title: name.into(), columns: 1, row_height: PANEL_HEIGHT, panels: vec![panel] }
}

fn picture(name: &str) -> Picture {
    Picture::draw("picture", String::new(), &sheet(name)).expect("drawn")
}

#[test]
fn the_same_numbers_give_the_same_bytes_and_a_png_of_the_same_size() {
    let (first, second) = (picture("depth"), picture("depth"));
    assert_eq!(first, second);
    let png = first.png().expect("painted");
    assert!(png.starts_with(b"\x89PNG") && png == second.png().expect("painted"));
    assert_eq!(png[16..20], 1600u32.to_be_bytes());
}

#[test]
fn a_text_of_a_stranger_stays_a_text() {
    let svg = picture("</title><script>alert(1)</script>&\"'").svg().to_owned();
    assert!(!svg.contains("<script") && svg.contains("&lt;script&gt;"), "{svg}");
    let mut reader = quick_xml::Reader::from_str(&svg);
    loop {
        match reader.read_event().expect("well-formed") {
            quick_xml::events::Event::Eof => break,
            quick_xml::events::Event::Start(tag) | quick_xml::events::Event::Empty(tag) => {
                let name = tag.name();
                let known = ["svg", "title", "text", "line", "rect", "polyline", "polygon", "circle"];
                assert!(known.contains(&name.as_ref()), "{name:?}");
            }
            _ => {}
        }
    }
}

#[test]
fn every_letter_that_we_write_is_in_the_font() {
    // A letter that is not there is painted as nothing, or as a box: both pictures would then be equal.
    let paint = |text: &str| picture(text).png().expect("painted");
    let missing = paint("\u{4e2d}");
    for letter in "aZ09µσ²±−×<>≤≈·–—…°χλ".chars() {
        assert!(paint(&letter.to_string()) != missing, "{letter}");
    }
}

#[test]
fn an_axis_without_extent_is_an_error_and_no_endless_search() {
    let mut broken = sheet("y");
    broken.panels[0].y = Axis::new("flat", 1.0..1.0);
    let error = Picture::draw("broken", String::new(), &broken).expect_err("refused").to_string();
    assert!(error.starts_with("picture broken: axis \"flat\": expected a range with an extent"), "{error}");
}

#[test]
fn a_long_line_keeps_its_peaks() {
    let mut long = sheet("peak");
    let mut points: Vec<(f64, f64)> = (0..100_000).map(|i| (f64::from(i) / 20_000.0, 1.0)).collect();
    points[31_415].1 = 20.0;
    long.panels[0].series = vec![Series::new("", Colour::Blue, Mark::Line(points, Stroke::Solid))];
    let svg = Picture::draw("long", String::new(), &long).expect("drawn").svg().to_owned();
    let line = svg.lines().find(|line| line.contains("#0072B2")).expect("the line");
    let heights: Vec<i32> = line.split(' ').filter_map(|point| point.split_once(',')?.1.parse().ok()).collect();
    assert!(heights.len() <= 4000 && heights.iter().min() < heights.last(), "{}", heights.len());
}
