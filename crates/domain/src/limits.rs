//! AWS's documented numbers, each with its source.
//!
//! Unless another is named, the source is <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>.

use std::time::Duration;

/// `MemorySize`, in MB.
pub const MEMORY_MB: std::ops::RangeInclusive<u32> = 128..=10_240;
/// `MemorySize` when none is given, in MB.
pub const MEMORY_MB_DEFAULT: u32 = 128;
/// `Timeout`, in seconds.
pub const TIMEOUT_SECONDS: std::ops::RangeInclusive<u32> = 1..=900;
/// `Timeout` when none is given, in seconds.
pub const TIMEOUT_SECONDS_DEFAULT: u32 = 3;
/// `EphemeralStorage.Size`, in MB.
pub const EPHEMERAL_STORAGE_MB: std::ops::RangeInclusive<u32> = 512..=10_240;
/// `EphemeralStorage.Size` when none is given, in MB.
pub const EPHEMERAL_STORAGE_MB_DEFAULT: u32 = 512;
/// Memory at which a function has the equivalent of one vCPU, in MB.
/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html>
pub const MEMORY_MB_PER_VCPU: u32 = 1_769;
/// Names and values of all environment variables together, in bytes.
pub const ENVIRONMENT_BYTES: usize = 4 * 1024;
/// A directly uploaded package, in bytes.
pub const ZIP_BYTES: u64 = 50 * 1024 * 1024;
/// A package and its layers, unpacked, in bytes.
pub const UNZIPPED_BYTES: u64 = 250 * 1024 * 1024;
/// The body of a request that carries code, in bytes: 50 MiB in base64 and room for the rest, as AWS's message says.
pub const CODE_REQUEST_BYTES: usize = 70_167_211;
/// The body of any other request, in bytes.
pub const REQUEST_BYTES: usize = 6 * 1024 * 1024 + 64 * 1024;
/// A synchronous invocation's payload, in bytes.
pub const SYNC_PAYLOAD_BYTES: usize = 6 * 1024 * 1024;
/// A synchronous invocation's response, in bytes: 6 MiB and AWS's 100 bytes of grace, as its error message says.
pub const SYNC_RESPONSE_BYTES: usize = 6_291_556;
/// A streamed response, in bytes.
pub const STREAMED_RESPONSE_BYTES: usize = 200 * 1024 * 1024;
/// How much of a streamed response may go as fast as it can, in bytes.
pub const STREAM_BURST_BYTES: u64 = 6 * 1024 * 1024;
/// How fast the rest of it may go.
pub const STREAM_BYTES_PER_SECOND: u64 = 2 * 1024 * 1024;
/// An asynchronous invocation's payload, in bytes.
pub const ASYNC_PAYLOAD_BYTES: usize = 1024 * 1024;
/// How much of the log `LogType=Tail` returns, in bytes.
/// <https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html>
pub const LOG_TAIL_BYTES: usize = 4 * 1024;
/// How long the Init phase may take before it is retried inside the first invocation.
/// <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html>
pub const INIT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long it may take where no request waits for it: this, or as long as the function's timeout if that is longer.
/// <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html>
pub const INIT_TIMEOUT_AHEAD: Duration = Duration::from_secs(130);
/// Extensions of one environment, internal and external together.
/// <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html>
pub const EXTENSIONS_MAX: usize = 10;
/// The Shutdown phase with an extension that has a process of its own.
/// <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-shutdown>
pub const SHUTDOWN_EXTERNAL: Duration = Duration::from_millis(2000);
/// The Shutdown phase with internal extensions only.
pub const SHUTDOWN_INTERNAL: Duration = Duration::from_millis(500);
/// The runtime's part of the Shutdown phase before external extensions are told.
pub const SHUTDOWN_RUNTIME: Duration = Duration::from_millis(300);
/// How long the hooks may take that run after an environment is restored.
/// <https://docs.aws.amazon.com/lambda/latest/dg/snapstart-runtime-hooks.html>
pub const RESTORE_TIMEOUT: Duration = Duration::from_secs(10);
/// `X-Amz-Client-Context`, in base64 as it is sent, in bytes.
/// <https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html>
pub const CLIENT_CONTEXT_BYTES: usize = 3_583;
/// Concurrent executions of an account in a region, unless configured.
pub const CONCURRENT_EXECUTIONS: u32 = 1_000;
/// Concurrency of an account in a region that cannot be reserved.
/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html>
pub const UNRESERVED_CONCURRENCY_MIN: u32 = 100;
/// Environments that a function may start in each [`SCALING_INTERVAL`].
/// <https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html#scaling-rate>
pub const SCALING_STARTS: u32 = 1_000;
/// See [`SCALING_STARTS`]; what is not used does not add up.
pub const SCALING_INTERVAL: Duration = Duration::from_secs(10);
/// Synchronous requests in a second for each unit of concurrency.
pub const REQUESTS_PER_CONCURRENCY: u32 = 10;
/// `GetFunction` requests of an account in a region, in a second.
pub const GET_FUNCTION_PER_SECOND: u32 = 100;
/// `GetPolicy` requests of an account in a region, in a second.
pub const GET_POLICY_PER_SECOND: u32 = 15;
/// All other requests of the control plane, of an account in a region, together in a second: all but invocations.
pub const CONTROL_PLANE_PER_SECOND: u32 = 15;
/// Code storage of an account in a region, in bytes, as `GetAccountSettings` reports it.
pub const CODE_STORAGE_BYTES: u64 = 80_530_636_800;
/// Open files of a function's process.
pub const OPEN_FILES: u32 = 1_024;
/// Processes and threads in an execution environment.
pub const PROCESSES: u32 = 1_024;
/// Layers of a function.
pub const LAYERS: usize = 5;
/// A resource-based policy, in bytes.
pub const POLICY_BYTES: usize = 20 * 1024;
/// Tags on a resource.
pub const TAGS: usize = 50;
/// How often an event that made a function fail is tried again, unless configured otherwise.
/// <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html>
pub const EVENT_RETRIES_MAX: u32 = 2;
/// How long after each failure an event is tried again. Source as above.
pub const EVENT_RETRY_DELAYS: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(120)];
/// How old an event may become before it is given up, unless configured otherwise. Source as above.
pub const EVENT_AGE_MAX: Duration = Duration::from_secs(6 * 3600);
/// How much of an error's message a dead letter carries, in bytes.
/// <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html>
pub const DEAD_LETTER_ERROR_MESSAGE_BYTES: usize = 1024;
/// How often a function may be called in one chain of calls before it counts as a loop.
/// <https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html>
pub const LOOP_INVOCATIONS_MAX: u32 = 16;
