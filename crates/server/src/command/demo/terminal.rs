//! The terminal: the board's own screen, keys, and leaving it as it was.

use std::{
    io::{self, Write},
    panic,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crossterm::{
    cursor::{Hide, MoveTo, Show},
    event::{self, Event, KeyCode, KeyEventKind, KeyModifiers},
    execute, queue,
    style::Print,
    terminal::{
        BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate, EnterAlternateScreen,
        LeaveAlternateScreen, disable_raw_mode, enable_raw_mode, size,
    },
};
use tokio::sync::mpsc;

use super::paint::Line;

/// How often the thread that waits for keys looks whether it is still wanted.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// When the terminal does not tell its size.
const USUAL_SIZE: (u16, u16) = (80, 24);

/// What somebody wants who presses a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    /// Out of here.
    Quit,
    /// Cut the client's connection.
    Cut,
    /// The terminal has another size.
    Resized,
}

/// The board's screen. Dropping it gives the terminal back, as does a panic anywhere in the process.
#[derive(Debug)]
pub(super) struct Terminal {
    is_over: Arc<AtomicBool>,
}

impl Terminal {
    /// Takes the terminal over.
    pub(super) fn open() -> io::Result<Self> {
        let is_over = Arc::new(AtomicBool::new(false));
        let terminal = Self { is_over: Arc::clone(&is_over) };
        // Without raw mode keys need Enter behind them, and that is better than no board.
        let _ = enable_raw_mode();
        execute!(io::stdout(), EnterAlternateScreen, Hide)?;
        let earlier = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if !is_over.swap(true, Ordering::SeqCst) {
                restore();
            }
            earlier(panic);
        }));
        Ok(terminal)
    }

    /// Keys, as they are pressed.
    pub(super) fn keys(&self) -> mpsc::UnboundedReceiver<Key> {
        let (sender, keys) = mpsc::unbounded_channel();
        let is_over = Arc::clone(&self.is_over);
        // A thread, because reading a terminal blocks. It ends with the screen, or when the input does.
        std::thread::spawn(move || {
            while !is_over.load(Ordering::SeqCst) {
                match event::poll(LOOK_EVERY).and_then(|is_there| is_there.then(event::read).transpose()) {
                    Ok(None) => {}
                    Ok(Some(event)) => {
                        if let Some(key) = key(&event)
                            && sender.send(key).is_err()
                        {
                            return;
                        }
                    }
                    Err(_) => return,
                }
            }
        });
        keys
    }

    /// Whether something has panicked and the terminal was given back already.
    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }

    /// Columns and rows, as of now.
    pub(super) fn size() -> (usize, usize) {
        let (columns, rows) =
            size().ok().filter(|&(columns, rows)| columns > 0 && rows > 0).unwrap_or(USUAL_SIZE);
        (columns.into(), rows.into())
    }

    /// Draws lines over what was there, without clearing first, so that nothing flickers.
    pub(super) fn draw(&self, lines: &[Line], (columns, rows): (usize, usize)) -> io::Result<()> {
        if self.is_over() {
            return Ok(());
        }
        let mut out = io::BufWriter::new(io::stdout().lock());
        queue!(out, BeginSynchronizedUpdate)?;
        for (row, line) in lines.iter().take(rows).enumerate() {
            queue!(out, MoveTo(0, row as u16), Print(line.ansi(columns)), Clear(ClearType::UntilNewLine))?;
        }
        if lines.len() < rows {
            queue!(out, MoveTo(0, lines.len() as u16), Clear(ClearType::FromCursorDown))?;
        }
        queue!(out, EndSynchronizedUpdate)?;
        out.flush()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if !self.is_over.swap(true, Ordering::SeqCst) {
            restore();
        }
    }
}

/// Nothing can be done when this fails.
fn restore() {
    let _ = execute!(io::stdout(), Show, LeaveAlternateScreen);
    let _ = disable_raw_mode();
}

fn key(event: &Event) -> Option<Key> {
    match event {
        Event::Resize(..) => Some(Key::Resized),
        Event::Key(pressed) if pressed.kind != KeyEventKind::Release => match pressed.code {
            KeyCode::Char('c' | 'd') if pressed.modifiers.contains(KeyModifiers::CONTROL) => Some(Key::Quit),
            KeyCode::Char('q' | 'Q') | KeyCode::Esc => Some(Key::Quit),
            KeyCode::Char('c' | 'C') => Some(Key::Cut),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crossterm::event::KeyEvent;

    use super::*;

    #[test]
    fn keys_mean_something() {
        let press = |code, modifiers| key(&Event::Key(KeyEvent::new(code, modifiers)));
        assert_eq!(press(KeyCode::Char('c'), KeyModifiers::NONE), Some(Key::Cut));
        assert_eq!(press(KeyCode::Char('c'), KeyModifiers::CONTROL), Some(Key::Quit));
        assert_eq!(press(KeyCode::Char('q'), KeyModifiers::NONE), Some(Key::Quit));
        assert_eq!(press(KeyCode::Char('x'), KeyModifiers::NONE), None);
        assert_eq!(key(&Event::Resize(1, 1)), Some(Key::Resized));
    }
}
