"""cxkit for acquisition: what brought the customer here, and no more of it than they allow."""
