//! Where windows go: the popover under its icon, the window where a screen is. Pure arithmetic in points.
//!
//! Points, not pixels: screens with different scales overlap when each is told in its own pixels.

/// A rectangle, in points of the whole desktop.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Area {
    /// Left edge.
    pub x: f64,
    /// Upper edge.
    pub y: f64,
    /// Width.
    pub width: f64,
    /// Height.
    pub height: f64,
}

/// Space between menu bar and popover, and to the screen's edges.
const GAP: f64 = 6.0;
/// So much of a window's upper edge must be on a screen, for a hand to move it.
const GRIP: f64 = 120.0;

impl Area {
    /// A rectangle that is told in the pixels of a screen with `scale` pixels a point.
    pub fn from_pixels((x, y): (f64, f64), (width, height): (f64, f64), scale: f64) -> Self {
        Self { x: x / scale, y: y / scale, width: width / scale, height: height / scale }
    }

    fn contains(&self, x: f64, y: f64) -> bool {
        (self.x..self.x + self.width).contains(&x) && (self.y..self.y + self.height).contains(&y)
    }
}

/// The upper left corner of a popover of `width` x `height` under `icon`, on the screen of `screens` that holds the icon
/// (else on the first). Without an icon it stands in the upper right corner.
pub fn under(icon: Option<Area>, width: f64, height: f64, screens: &[Area]) -> (f64, f64) {
    let center = icon.map(|icon| (icon.x + icon.width / 2.0, icon.y + icon.height / 2.0));
    let holds = |screen: &&Area| center.is_some_and(|(x, y)| screen.contains(x, y));
    let Some(screen) = screens.iter().find(holds).or_else(|| screens.first()) else { return (0.0, 0.0) };
    let (wanted_x, wanted_y) = match icon {
        Some(icon) => (icon.x + (icon.width - width) / 2.0, icon.y + icon.height + GAP),
        None => (screen.x + screen.width - width - GAP, screen.y + GAP),
    };
    let right = screen.x + screen.width - width - GAP;
    let bottom = screen.y + screen.height - height - GAP;
    // a popover that is larger than the screen keeps its upper left corner in sight
    let x = wanted_x.min(right).max(screen.x + GAP.min((screen.width - width).max(0.0)));
    let y = wanted_y.min(bottom).max(screen.y);
    (x.round(), y.round())
}

/// True when a window's upper edge is on a screen, far enough to be taken hold of: a screen may be gone since it was left.
pub fn can_be_reached(window: Area, screens: &[Area]) -> bool {
    screens.iter().any(|screen| {
        let seen = (window.x + window.width).min(screen.x + screen.width) - window.x.max(screen.x);
        seen >= GRIP.min(window.width) && (screen.y..screen.y + screen.height).contains(&window.y)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEFT: Area = Area { x: 0.0, y: 0.0, width: 1_440.0, height: 900.0 };
    const RIGHT: Area = Area { x: 1_440.0, y: -180.0, width: 1_920.0, height: 1_080.0 };

    fn icon(x: f64, y: f64) -> Option<Area> {
        Some(Area { x, y, width: 70.0, height: 24.0 })
    }

    #[test]
    fn it_hangs_centred_under_its_icon() {
        assert_eq!(under(icon(700.0, 0.0), 360.0, 500.0, &[LEFT, RIGHT]), (555.0, 30.0));
    }

    #[test]
    fn it_stays_inside_the_screen_of_its_icon() {
        assert_eq!(under(icon(1_360.0, 0.0), 360.0, 500.0, &[LEFT, RIGHT]).0, 1_074.0);
        assert_eq!(under(icon(0.0, 0.0), 360.0, 500.0, &[LEFT]).0, 6.0);
        assert_eq!(under(icon(1_450.0, -180.0), 360.0, 500.0, &[LEFT, RIGHT]), (1_446.0, -150.0));
        assert_eq!(under(icon(700.0, 0.0), 360.0, 2_000.0, &[LEFT]).1, 0.0);
    }

    #[test]
    fn screens_with_other_scales_do_not_overlap() {
        // in pixels both screens hold x = 2000; in points the icon is on the first
        let sharp = Area::from_pixels((0.0, 0.0), (2_880.0, 1_800.0), 2.0);
        let coarse = Area::from_pixels((1_440.0, 0.0), (1_920.0, 1_080.0), 1.0);
        let icon = Area::from_pixels((2_000.0, 0.0), (140.0, 48.0), 2.0);
        assert_eq!(sharp, LEFT);
        assert_eq!(under(Some(icon), 360.0, 500.0, &[sharp, coarse]), (855.0, 30.0));
    }

    #[test]
    fn without_an_icon_or_a_screen_it_still_has_a_place() {
        assert_eq!(under(None, 360.0, 500.0, &[LEFT]), (1_074.0, 6.0));
        assert_eq!(under(icon(5.0, 5.0), 360.0, 500.0, &[]), (0.0, 0.0));
        assert_eq!(under(icon(9_000.0, 0.0), 360.0, 500.0, &[LEFT]).0, 1_074.0);
    }

    #[test]
    fn a_window_of_a_screen_that_is_gone_can_not_be_reached() {
        let window = |x, y| Area { x, y, width: 1_080.0, height: 720.0 };
        assert!(can_be_reached(window(2_000.0, 0.0), &[LEFT, RIGHT]));
        assert!(!can_be_reached(window(2_000.0, 0.0), &[LEFT]));
        assert!(can_be_reached(window(-900.0, 50.0), &[LEFT]));
        assert!(!can_be_reached(window(-1_000.0, 50.0), &[LEFT]));
        assert!(!can_be_reached(window(100.0, -300.0), &[LEFT]));
        assert!(!can_be_reached(window(100.0, 100.0), &[]));
    }
}
