"""A folder for the path of processes that a watched script starts, from which Python imports sitecustomize by itself."""
