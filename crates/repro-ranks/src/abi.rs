//! The functions of MPI that are used, declared once for both binary interfaces, and made safe.
//!
//! The interfaces agree on the functions and differ in their constants:
//! - **MPI's standard ABI** (MPI 5.0, chapter 20; values from MPICH 5.0.2's `mpi_abi.h`): a handle is a number of the
//!   size of a pointer.
//! - **Open MPI 4 and 5** (`mpi.h` of 4.1.4): a handle is the address of one of the library's variables.
//!
//! What MPI reads or writes while an operation is under way belongs to the operation ([`Transfer`]), never to a caller: an
//! operation that has not ended may still be written to, so what belongs to it is leaked then, not freed.

use std::ffi::{c_char, c_int, c_void};

use libloading::Library as Dynamic;

/// A handle (`MPI_Comm`, `MPI_Datatype` …) of either interface: a pointer to the compiler of C, never followed here.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Handle(usize);

/// An `MPI_Status` of either interface, with room to spare: 32 bytes in the standard ABI, 24 in Open MPI. Only MPI looks
/// into it.
#[repr(C)]
struct Status([u64; 8]);

/// Which of the two interfaces a library has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Abi {
    /// MPI's standard ABI.
    Standard,
    /// Open MPI 4 or 5.
    OpenMpi,
}

impl std::fmt::Display for Abi {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Standard => "MPI's standard ABI",
            Self::OpenMpi => "Open MPI's ABI",
        })
    }
}

macro_rules! functions {
    ($($field:ident = $symbol:literal ($($argument:ident: $kind:ty),*);)*) => {
        /// The table of functions. Each returns an error code, 0 for success.
        struct Functions {
            $($field: unsafe extern "C" fn($($argument: $kind),*) -> c_int,)*
        }

        impl Functions {
            /// The functions of a library, or the name of the first that it lacks.
            fn of(library: &Dynamic) -> Result<Self, &'static str> {
                Ok(Self {
                    $($field: {
                        let symbol = concat!($symbol, "\0").as_bytes();
                        // SAFETY: every MPI library declares the function of this name so, in both interfaces.
                        let function = unsafe { library.get::<unsafe extern "C" fn($($kind),*) -> c_int>(symbol) };
                        *function.map_err(|_| $symbol)?
                    },)*
                })
            }
        }
    };
}

functions! {
    init_thread = "MPI_Init_thread" (argc: *mut c_int, argv: *mut *mut *mut c_char, required: c_int, provided: *mut c_int);
    initialized = "MPI_Initialized" (flag: *mut c_int);
    finalize = "MPI_Finalize" ();
    abort = "MPI_Abort" (comm: Handle, code: c_int);
    comm_rank = "MPI_Comm_rank" (comm: Handle, rank: *mut c_int);
    comm_size = "MPI_Comm_size" (comm: Handle, size: *mut c_int);
    comm_split_type = "MPI_Comm_split_type" (comm: Handle, kind: c_int, key: c_int, info: Handle, new: *mut Handle);
    comm_free = "MPI_Comm_free" (comm: *mut Handle);
    comm_set_errhandler = "MPI_Comm_set_errhandler" (comm: Handle, handler: Handle);
    error_string = "MPI_Error_string" (code: c_int, text: *mut c_char, length: *mut c_int);
    get_processor_name = "MPI_Get_processor_name" (name: *mut c_char, length: *mut c_int);
    get_library_version = "MPI_Get_library_version" (version: *mut c_char, length: *mut c_int);
    isend = "MPI_Isend" (buffer: *const c_void, count: c_int, kind: Handle, to: c_int, tag: c_int, comm: Handle, request: *mut Handle);
    irecv = "MPI_Irecv" (buffer: *mut c_void, count: c_int, kind: Handle, from: c_int, tag: c_int, comm: Handle, request: *mut Handle);
    test = "MPI_Test" (request: *mut Handle, flag: *mut c_int, status: *mut Status);
    get_count = "MPI_Get_count" (status: *const Status, kind: Handle, count: *mut c_int);
    ibarrier = "MPI_Ibarrier" (comm: Handle, request: *mut Handle);
    ibcast = "MPI_Ibcast" (buffer: *mut c_void, count: c_int, kind: Handle, root: c_int, comm: Handle, request: *mut Handle);
    iallgather = "MPI_Iallgather" (send: *const c_void, send_count: c_int, send_kind: Handle, receive: *mut c_void, receive_count: c_int, receive_kind: Handle, comm: Handle, request: *mut Handle);
    allreduce = "MPI_Allreduce" (send: *const c_void, receive: *mut c_void, count: c_int, kind: Handle, operation: Handle, comm: Handle);
}

struct Constants {
    comm_world: Handle,
    byte: Handle,
    float: Handle,
    sum: Handle,
    request_null: Handle,
    info_null: Handle,
    errors_return: Handle,
    thread_serialized: c_int,
    comm_type_shared: c_int,
}

impl Constants {
    const STANDARD: Self = Self {
        comm_world: Handle(0x101),
        byte: Handle(0x247),
        float: Handle(0x210),
        sum: Handle(0x21),
        request_null: Handle(0x180),
        info_null: Handle(0x130),
        errors_return: Handle(0x143),
        thread_serialized: 2048,
        comm_type_shared: 221,
    };

    /// Those of Open MPI, or the name of the first variable that is missing.
    fn open_mpi(library: &Dynamic) -> Result<Self, &'static str> {
        let address = |name: &'static str| {
            // SAFETY: the symbol is only asked for its address, which `mpi.h` defines the handle to be.
            let symbol = unsafe { library.get::<*mut c_void>(name.as_bytes()) };
            // A symbol's value is the variable's address: not what the variable holds.
            symbol.map(|symbol| Handle(symbol.expose_provenance())).map_err(|_| name)
        };
        Ok(Self {
            comm_world: address("ompi_mpi_comm_world")?,
            byte: address("ompi_mpi_byte")?,
            float: address("ompi_mpi_float")?,
            sum: address("ompi_mpi_op_sum")?,
            request_null: address("ompi_request_null")?,
            info_null: address("ompi_mpi_info_null")?,
            errors_return: address("ompi_mpi_errors_return")?,
            thread_serialized: 2,
            comm_type_shared: 0,
        })
    }
}

/// `MPI_MAX_LIBRARY_VERSION_STRING` of the standard ABI, the longest of all texts: Open MPI's are 256.
const TEXT_BYTES: usize = 8192;

/// `MPI_IN_PLACE`, in both interfaces.
const IN_PLACE: *const c_void = std::ptr::without_provenance(1);

/// A call that MPI refused: which, and its error code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) call: &'static str,
    pub(crate) code: i32,
}

fn checked(call: &'static str, code: c_int) -> Result<(), Refused> {
    if code == 0 { Ok(()) } else { Err(Refused { call, code }) }
}

/// A loaded MPI. Its methods are called by one thread at a time, and those below `start` between it and `finalize`:
/// `World` sees to both.
pub(crate) struct Mpi {
    functions: Functions,
    constants: Constants,
    /// Never unloaded: MPI libraries leave threads and exit handlers behind.
    _library: &'static Dynamic,
}

/// A function that is in both interfaces, to find out which file it came from.
pub(crate) fn address_of_a_function(mpi: &Mpi) -> usize {
    mpi.functions.init_thread as usize
}

/// The interface of a library that was loaded from a file of this name; an error says why it is none of ours.
pub(crate) fn abi_of(library: &Dynamic, file_name: &str) -> Result<Abi, String> {
    // Open MPI 6 has both, in two files that share a third: the name decides.
    let is_named_so = file_name.starts_with("libmpi_abi.");
    // SAFETY: the variable is not read, only looked for.
    if !is_named_so && unsafe { library.get::<*mut c_void>(b"ompi_mpi_comm_world\0") }.is_ok() {
        return Ok(Abi::OpenMpi);
    }
    // SAFETY: `MPI_Abi_get_version` is declared so since it exists (MPI 5.0), and may be called before initialisation.
    match unsafe { library.get::<unsafe extern "C" fn(*mut c_int, *mut c_int) -> c_int>(b"MPI_Abi_get_version\0") } {
        Ok(version) => {
            let (mut major, mut minor) = (-1, -1);
            // SAFETY: both point to integers.
            let code = unsafe { version(&mut major, &mut minor) };
            match (code, major) {
                (0, 1) => Ok(Abi::Standard),
                (0, -1) => Err("it has not MPI's standard ABI: the same library's libmpi_abi would".to_owned()),
                _ => Err(format!("it has version {major}.{minor} of MPI's standard ABI, expected 1")),
            }
        }
        // SAFETY: the function is not called, only looked for.
        Err(_) if unsafe { library.get::<*mut c_void>(b"MPI_Init_thread\0") }.is_ok() => {
            Err("it has neither MPI's standard ABI nor Open MPI's: MPICH before 5, perhaps, or Intel MPI".to_owned())
        }
        Err(_) => Err("it is no MPI library".to_owned()),
    }
}

impl Mpi {
    /// The table for a library with this interface, or the name of what it lacks.
    pub(crate) fn of(library: Dynamic, abi: Abi) -> Result<Self, &'static str> {
        let library: &'static Dynamic = Box::leak(Box::new(library));
        let constants = match abi {
            Abi::Standard => Constants::STANDARD,
            Abi::OpenMpi => Constants::open_mpi(library)?,
        };
        Ok(Self { functions: Functions::of(library)?, constants, _library: library })
    }

    /// Text that a function writes.
    fn text(&self, write: impl FnOnce(*mut c_char, *mut c_int) -> c_int) -> String {
        let mut text = vec![0_u8; TEXT_BYTES];
        let mut length = 0;
        if write(text.as_mut_ptr().cast(), &mut length) != 0 {
            return String::new();
        }
        text.truncate(usize::try_from(length).unwrap_or(0));
        // Lengths with and without the final zero are both about.
        String::from_utf8_lossy(&text).trim_end_matches('\0').trim().to_owned()
    }

    /// What the library says it is. May be asked before `start`.
    pub(crate) fn library_version(&self) -> String {
        // SAFETY: the text has room for the longest version string of either interface.
        self.text(|text, length| unsafe { (self.functions.get_library_version)(text, length) })
    }

    /// Whether `start` was called in this process, by us or by another.
    pub(crate) fn is_initialized(&self) -> bool {
        let mut flag = 0;
        // SAFETY: the flag is an integer; the function may be called at any time.
        let code = unsafe { (self.functions.initialized)(&mut flag) };
        code == 0 && flag != 0
    }

    /// Starts MPI for use by one thread at a time, with errors returned. Whether the library allows any thread to be
    /// that one.
    pub(crate) fn start(&self) -> Result<bool, Refused> {
        let mut provided = 0;
        let (no_count, no_arguments) = (std::ptr::null_mut(), std::ptr::null_mut());
        let required = self.constants.thread_serialized;
        // SAFETY: arguments may be left out since MPI 2; the level that is provided is an integer.
        checked("MPI_Init_thread", unsafe {
            (self.functions.init_thread)(no_count, no_arguments, required, &mut provided)
        })?;
        // SAFETY: both are predefined handles, and MPI has been started.
        checked("MPI_Comm_set_errhandler", unsafe {
            (self.functions.comm_set_errhandler)(self.constants.comm_world, self.constants.errors_return)
        })?;
        Ok(provided >= required)
    }

    /// Ends MPI. Waits for all ranks to do so.
    pub(crate) fn finalize(&self) -> Result<(), Refused> {
        // SAFETY: MPI has been started, and `World` calls this once.
        checked("MPI_Finalize", unsafe { (self.functions.finalize)() })
    }

    /// Ends the processes of all ranks.
    pub(crate) fn abort(&self, code: i32) -> ! {
        // SAFETY: a predefined handle, and MPI has been started.
        unsafe { (self.functions.abort)(self.constants.comm_world, code) };
        std::process::exit(code)
    }

    /// Rank and number of ranks.
    pub(crate) fn place(&self) -> Result<(usize, usize), Refused> {
        self.place_in(self.constants.comm_world)
    }

    fn place_in(&self, comm: Handle) -> Result<(usize, usize), Refused> {
        let (mut rank, mut size) = (0, 0);
        // SAFETY: a communicator that exists, and an integer.
        checked("MPI_Comm_rank", unsafe { (self.functions.comm_rank)(comm, &mut rank) })?;
        // SAFETY: a communicator that exists, and an integer.
        checked("MPI_Comm_size", unsafe { (self.functions.comm_size)(comm, &mut size) })?;
        Ok((usize::try_from(rank).expect("a rank"), usize::try_from(size).expect("a size")))
    }

    /// Rank and number of ranks among those that share this one's memory. Waits for all ranks to ask.
    pub(crate) fn local_place(&self) -> Result<(usize, usize), Refused> {
        let Constants { comm_world, comm_type_shared, info_null, .. } = self.constants;
        let mut local = comm_world;
        // SAFETY: predefined handles and constants; the new handle is written over a copy of another.
        checked("MPI_Comm_split_type", unsafe {
            (self.functions.comm_split_type)(comm_world, comm_type_shared, 0, info_null, &mut local)
        })?;
        let place = self.place_in(local);
        // SAFETY: the communicator made above, which nobody else has.
        checked("MPI_Comm_free", unsafe { (self.functions.comm_free)(&mut local) })?;
        place
    }

    /// The name of this host.
    pub(crate) fn host(&self) -> String {
        // SAFETY: the text has room for the longest name of either interface.
        self.text(|text, length| unsafe { (self.functions.get_processor_name)(text, length) })
    }

    /// What an error code means.
    pub(crate) fn error_text(&self, code: i32) -> String {
        // SAFETY: the text has room for the longest message of either interface.
        self.text(|text, length| unsafe { (self.functions.error_string)(code, text, length) })
    }

    /// Begins an operation that reads `read` and writes `written`.
    fn begin(
        &self,
        call: &'static str,
        read: Vec<u8>,
        written: Vec<u8>,
        operation: impl FnOnce(*const c_void, *mut c_void, *mut Handle) -> c_int,
    ) -> Result<Transfer, Refused> {
        let request = self.constants.request_null;
        // From here on it is leaked unless it is known to have ended.
        let mut transfer = Transfer { call, request, has_ended: false, read, written };
        let (read, written) = (transfer.read.as_ptr().cast(), transfer.written.as_mut_ptr().cast());
        checked(call, operation(read, written, &mut transfer.request))?;
        Ok(transfer)
    }

    /// Sends the first `bytes` of `buffer`.
    pub(crate) fn send(&self, buffer: Vec<u8>, bytes: usize, to: usize, tag: i32) -> Result<Transfer, Refused> {
        let (count, to, byte, world) = (count(&buffer, bytes), int(to), self.constants.byte, self.constants.comm_world);
        // SAFETY: `count` bytes lie at `read`, and stay there unchanged until the transfer has ended.
        self.begin("MPI_Isend", buffer, Vec::new(), |read, _, request| unsafe {
            (self.functions.isend)(read, count, byte, to, tag, world, request)
        })
    }

    /// Receives up to `bytes` into the beginning of `buffer`.
    pub(crate) fn receive(&self, buffer: Vec<u8>, bytes: usize, from: usize, tag: i32) -> Result<Transfer, Refused> {
        let (count, from, byte, world) =
            (count(&buffer, bytes), int(from), self.constants.byte, self.constants.comm_world);
        // SAFETY: `count` bytes lie at `written`, and belong to the transfer until it has ended.
        self.begin("MPI_Irecv", Vec::new(), buffer, |_, written, request| unsafe {
            (self.functions.irecv)(written, count, byte, from, tag, world, request)
        })
    }

    /// All ranks' `mine`, equally long on all, one after the other.
    pub(crate) fn all_gather(&self, mine: Vec<u8>, size: usize) -> Result<Transfer, Refused> {
        let (count, byte, world) = (count(&mine, mine.len()), self.constants.byte, self.constants.comm_world);
        let all = vec![0; mine.len() * size];
        // SAFETY: `count` bytes lie at `read`, as many times the number of ranks at `written`, and they belong to the
        // transfer until it has ended.
        self.begin("MPI_Iallgather", mine, all, |read, written, request| unsafe {
            (self.functions.iallgather)(read, count, byte, written, count, byte, world, request)
        })
    }

    /// Replaces `buffer` by the root's, equally long on all.
    pub(crate) fn broadcast(&self, buffer: Vec<u8>, root: usize) -> Result<Transfer, Refused> {
        let (count, root, byte, world) =
            (count(&buffer, buffer.len()), int(root), self.constants.byte, self.constants.comm_world);
        // SAFETY: `count` bytes lie at `written`, and belong to the transfer until it has ended.
        self.begin("MPI_Ibcast", Vec::new(), buffer, |_, written, request| unsafe {
            (self.functions.ibcast)(written, count, byte, root, world, request)
        })
    }

    /// Ends when all ranks have begun it.
    pub(crate) fn barrier(&self) -> Result<Transfer, Refused> {
        let world = self.constants.comm_world;
        // SAFETY: a predefined handle; there is no buffer.
        self.begin("MPI_Ibarrier", Vec::new(), Vec::new(), |_, _, request| unsafe {
            (self.functions.ibarrier)(world, request)
        })
    }

    /// Whether the transfer has ended, and of one that receives with how many bytes. Moves all others forward, too. Not
    /// to be called again when it said yes.
    pub(crate) fn test(&self, transfer: &mut Transfer) -> Result<Option<usize>, Refused> {
        assert!(!transfer.has_ended, "it has ended already");
        let mut flag = 0;
        let mut status = Status([0; 8]);
        // SAFETY: a request that has not ended; flag and status are large enough in both interfaces.
        let code = unsafe { (self.functions.test)(&mut transfer.request, &mut flag, &mut status) };
        checked(transfer.call, code)?;
        if flag == 0 {
            return Ok(None);
        }
        transfer.has_ended = true;
        let mut count = 0;
        if transfer.call == "MPI_Irecv" {
            // SAFETY: the status was filled in by the receive that has just ended.
            checked("MPI_Get_count", unsafe { (self.functions.get_count)(&status, self.constants.byte, &mut count) })?;
        }
        Ok(Some(usize::try_from(count).unwrap_or(usize::MAX)))
    }

    /// Sums by `MPI_Allreduce`, in no promised order.
    pub(crate) fn all_reduce(&self, values: &mut [f32]) -> Result<(), Refused> {
        let Constants { float, sum, comm_world, .. } = self.constants;
        let count = int(values.len());
        // SAFETY: `count` floats lie there, and the call has ended when it returns.
        checked("MPI_Allreduce", unsafe {
            (self.functions.allreduce)(IN_PLACE, values.as_mut_ptr().cast(), count, float, sum, comm_world)
        })
    }
}

/// A number of bytes that lie in a buffer.
fn count(buffer: &[u8], bytes: usize) -> c_int {
    assert!(bytes <= buffer.len(), "{bytes} bytes of {}", buffer.len());
    int(bytes)
}

fn int(number: usize) -> c_int {
    c_int::try_from(number).expect("MPI counts in 32 bits")
}

/// An operation under way, with the memory that MPI reads or writes until it has ended.
pub(crate) struct Transfer {
    call: &'static str,
    request: Handle,
    has_ended: bool,
    read: Vec<u8>,
    written: Vec<u8>,
}

impl Transfer {
    /// What MPI read, and what it wrote.
    pub(crate) fn into_buffers(mut self) -> (Vec<u8>, Vec<u8>) {
        assert!(self.has_ended, "MPI may still use them");
        (std::mem::take(&mut self.read), std::mem::take(&mut self.written))
    }
}

impl Drop for Transfer {
    fn drop(&mut self) {
        if !self.has_ended {
            std::mem::forget((std::mem::take(&mut self.read), std::mem::take(&mut self.written)));
        }
    }
}
