"""What `bench.testkit` has pytest run: the same small work once per test, for each way to get a database."""
