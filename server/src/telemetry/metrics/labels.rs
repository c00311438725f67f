//! The values that labels may have. Every label is an enum, so that no client can make up new series.

/// Defines an enum of label values.
macro_rules! label {
    ($(#[$about:meta])* $name:ident { $($(#[$what:meta])* $variant:ident = $label:literal),+ $(,)? }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$what])* $variant),+ }

        impl $name {
            /// Every value.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The value as the exposition shows it.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self { $(Self::$variant => $label),+ }
            }
        }
    };
}

label! {
    /// How a task ended.
    TaskOutcome {
        /// It has a result.
        Succeeded = "succeeded",
        /// It has an error, panics included.
        Failed = "failed",
        /// A client, the drain or the function itself ended it.
        Cancelled = "cancelled",
        /// Its deadline passed.
        TimedOut = "timed_out",
    }
}

label! {
    /// Why a call was not accepted as a task.
    Rejection {
        /// The server takes no new calls.
        ShuttingDown = "shutting_down",
        /// All places of the queue are taken.
        QueueFull = "queue_full",
        /// The function has as many calls waiting as it may have.
        FunctionQueueFull = "function_queue_full",
        /// Commands, results and streams hold all the memory they may.
        OutOfMemory = "out_of_memory",
        /// Spilled results hold all the disk they may.
        OutOfDisk = "out_of_disk",
        /// The command cannot be understood.
        BadArgument = "bad_argument",
        /// There is no such function.
        UnknownFunction = "unknown_function",
    }
}

label! {
    /// How reading a result ended.
    StreamOutcome {
        /// All of it was sent.
        Finished = "finished",
        /// The function failed meanwhile.
        Failed = "failed",
        /// The client went away, or stopped to read.
        Abandoned = "abandoned",
    }
}

label! {
    /// Where a result is kept.
    Place {
        /// In memory.
        Memory = "memory",
        /// In the spill directory.
        Disk = "disk",
    }
}

label! {
    /// Why a caller is not who they should be.
    AuthFailure {
        /// No credentials came with the call.
        Missing = "missing",
        /// The header does not hold a token as it should.
        Malformed = "malformed",
        /// The token is not a good one.
        Rejected = "rejected",
        /// The token was good once, or is not yet.
        Expired = "expired",
        /// The caller is known, and may not do this.
        Forbidden = "forbidden",
        /// Nobody can tell: what verifies tokens does not work.
        Unverifiable = "unverifiable",
    }
}

label! {
    /// What is read again while the server runs.
    Reloaded {
        /// The server's certificate and key.
        Certificate = "certificate",
        /// The authorities that clients' certificates come from.
        ClientAuthority = "client_authority",
        /// The enumerated tokens.
        Tokens = "tokens",
        /// The keys that JSON web tokens are signed with.
        Jwks = "jwks",
        /// The advertised address.
        Advertised = "advertised",
    }
}

label! {
    /// Certificates whose end somebody should see coming.
    CertificateUse {
        /// The certificate of the Flight port.
        Server = "server",
        /// The authority of clients that ends first.
        ClientAuthority = "client_authority",
    }
}

label! {
    /// Why a connection was ended by the server.
    ConnectionEnd {
        /// There are as many as there may be.
        TooMany = "too_many",
        /// The TLS handshake failed, or took too long.
        Handshake = "handshake",
        /// The first bytes were not those of HTTP/2, or did not come.
        Preface = "preface",
        /// The client broke the protocol, or a limit of it.
        Protocol = "protocol",
        /// The client did not answer a PING.
        KeepAlive = "keep_alive",
        /// The client did not read its socket.
        Stalled = "stalled",
        /// It was open for as long as connections may be.
        Age = "age",
        /// The server ended.
        Shutdown = "shutdown",
    }
}

label! {
    /// Where a worker process, which runs functions in Python, is in its life.
    WorkerState {
        /// The process starts.
        Starting = "starting",
        /// Modules are imported.
        Loading = "loading",
        /// It takes calls.
        Ready = "ready",
        /// It takes no more calls, and ends.
        Retiring = "retiring",
        /// It ended, and the next one waits for its time.
        Dead = "dead",
    }
}

label! {
    /// Why a worker process was replaced.
    RestartReason {
        /// It ended by itself.
        Exited = "exited",
        /// It was killed, or crashed.
        Killed = "killed",
        /// The kernel killed it for want of memory.
        OutOfMemory = "out_of_memory",
        /// It came near its limit of memory.
        Memory = "memory_limit",
        /// A call in it did not come back.
        Hung = "hung",
        /// Its modules did not load.
        Unloadable = "unloadable",
        /// It could not be started.
        NotStarted = "not_started",
        /// It said what no worker says.
        Protocol = "protocol",
        /// The process that keeps all workers ended.
        HostLost = "host_lost",
        /// Its modules changed, and `start --reload` follows them.
        Reloaded = "reloaded",
    }
}
