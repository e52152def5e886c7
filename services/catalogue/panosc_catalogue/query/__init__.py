"""The search API's filter language, compiled to one SQL statement a request."""
