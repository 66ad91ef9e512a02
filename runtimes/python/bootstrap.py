"""Starts the runtime client. Kept this short because Python compiles a program anew each time it starts."""

import hearth_runtime_client

hearth_runtime_client.main()
