"""The ops plane of Lucid: what runs remote desktops, records them and hands out the evidence, and the `lucid` command.

Each package below is a cluster with the same furniture (`app`, `api`, `service`, `models`, `store`, `settings`) and its own process;
a cluster never imports another, they meet over HTTP. Three packages are no clusters: `recording` is the recording's
format, `up` starts a whole instance on one machine, `cli` is the command line. Nothing here imports the chain or the wallet plane.
"""
