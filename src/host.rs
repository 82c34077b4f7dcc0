//! The machine that the program runs on.

/// The machine's host name, as the system has it: for a [`field`](crate::HttpHandlerBuilder::field) of every record.
///
/// It is asked for anew at each call. In a container it is usually the container's id.
///
/// ```
/// use logpost::HttpHandler;
///
/// let handler = HttpHandler::builder("http://127.0.0.1:9020/log").field("host", &logpost::host_name()).build()?;
/// # Ok::<(), logpost::Error>(())
/// ```
#[doc(alias = "gethostname")]
pub fn host_name() -> String {
    gethostname::gethostname().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn as_the_kernel_has_it() {
        assert_eq!(host_name(), std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap().trim_end());
    }
}
