//! A download in a program that is not async.
//!
//! ```text
//! cargo run --example blocking --features blocking -- https://data.example.org/vo/file out
//! ```

use reqwest_scitokens::ResponseExt as _;
use reqwest_scitokens::blocking::Session;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(url), Some(path)) = (arguments.next(), arguments.next()) else {
        anyhow::bail!("usage: blocking URL FILE");
    };
    let session = Session::new()?;
    let response = session.get(url).send()?;
    if let Some(explanation) = response.explain() {
        anyhow::bail!("{explanation}");
    }
    let mut response = response.error_for_status()?;
    let size = std::io::copy(&mut response, &mut fs_err::File::create(path)?)?;
    #[expect(clippy::print_stdout, reason = "this is a program")]
    {
        println!("{size} bytes");
    }
    Ok(())
}
