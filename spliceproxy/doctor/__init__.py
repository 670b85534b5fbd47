"""What this kernel, this machine and this user can do for the proxy.

Each check returns findings, and leaves nothing behind. It reads the kernel's files through
`Machine`, and tries system calls through `spliceproxy.kernel`. Nothing here prints.
"""
