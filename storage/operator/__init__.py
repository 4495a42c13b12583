"""What the operator watches: the load of accounts, the jobs of all accounts, the workers, the servers."""
